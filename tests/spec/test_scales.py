"""A study at a scale: what it takes from there, and what it refuses."""

from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.spec.load import load_study
from pipelines.spec.plan import plan, plan_file
from pipelines.spec.scales import SCALES
from pipelines.spec.yaml_file import read_yaml

STUDY = "question: Why?\nscale: {scale}\nmethods: [{methods}]\n{more}"
ALL = sorted(path.stem for path in SCALES.glob("*.yaml"))


def written(folder: Path, scale: str = "digits", methods: str = "{recipe: moco_v2}", more: str = "") -> Path:
    file = folder / "sweep.yaml"
    file.write_text(STUDY.format(scale=scale, methods=methods, more=more))
    return file


@pytest.mark.parametrize("scale", ALL)
def test_one_line_moves_a_study_to_another_scale(tmp_path: Path, scale: str) -> None:
    study = load_study(written(tmp_path, scale))
    given = read_yaml(SCALES / f"{scale}.yaml")
    assert study.name == f"sweep-{scale}"
    assert list(study.seeds) == given["seeds"]
    assert study.encoder.use == given["encoder"]["use"]
    assert study.methods[0].recipe is not None
    assert study.methods[0].recipe.name.split("/")[1] in given["recipes"]
    assert plan(study).of("evaluate")


def test_what_the_study_gives_itself_wins(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, more="seeds: [7]\ndatasets: [{use: digits, image_size: 8}]\nname: mine"))
    assert (study.seeds, study.name, study.dataset) == ((7,), "mine", None)
    assert study.datasets[0].image_size == 8


def test_a_recipe_that_names_its_scale_keeps_it(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, methods="{recipe: moco_v2/cifar, queue_size: 512}"))
    assert study.methods[0].recipe is not None
    assert study.methods[0].recipe.name == "moco_v2/cifar"


@pytest.mark.parametrize(
    ("scale", "methods", "message"),
    [
        ("digtis", "{recipe: moco_v2}", "scale: there is no scale 'digtis'; did you mean 'digits'?"),
        ("digits", "{recipe: moco_v22}", "methods[0].recipe: there is no recipe 'moco_v22'"),
    ],
)
def test_an_unknown_scale_or_recipe_is_refused(tmp_path: Path, scale: str, methods: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_study(written(tmp_path, scale, methods))
    assert message in str(error.value)
    assert str(tmp_path / "sweep.yaml") in str(error.value)


def test_a_misspelt_scale_key_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_text(file.read_text().replace("scale:", "scael:"))
    with pytest.raises(InputError, match="did you mean 'scale'"):
        plan_file(file)
