"""Study files: what is refused, where, and with which way out."""

import re
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.spec.load import load_study, read_yaml
from pipelines.spec.plan import plan_file

GOOD = """
question: q
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods:
  - {use: moco, queue_size: 512, label: a}
seeds: [0]
training: {batch_size: 64}
evaluation: [{use: knn}]
"""


def study_file(folder: Path, text: str = GOOD, name: str = "x.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refusal(folder: Path, text: str, name: str = "x.yaml") -> str:
    with pytest.raises(InputError) as error:
        load_study(study_file(folder, text, name))
    return str(error.value)


def test_a_good_study_loads(tmp_path):
    study = load_study(study_file(tmp_path))
    assert (study.name, study.methods[0].label, study.seeds) == ("x", "a", (0,))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("queue_size", "qeue_size", "methods[0].qeue_size: moco has no such option; did you mean 'queue_size'?"),
        ("use: moco", "use: moko", "methods[0].use: there is no method 'moko'; did you mean 'moco'?"),
        ("use: digits", "use: digts", "dataset.use: there is no 'digts'; did you mean 'digits'?"),
        ("depth: 10", "dept: 10", "encoder.dept: resnet has no such option; did you mean 'depth'?"),
        ("seeds:", "seads:", "x.yaml: there is no key 'seads'; did you mean 'seeds'?"),
        (
            "batch_size: 64",
            "bach_size: 64",
            "training.bach_size: training has no such option; did you mean 'batch_size'?",
        ),
        (
            "queue_size: 512",
            "queue_size: -1",
            "methods[0].queue_size: input should be greater than or equal to 1, got -1",
        ),
        ("queue_size: 512", "temperature: hot", "methods[0].temperature: input should be a valid number"),
        ("seeds: [0]", "seeds: [0, 0]", "seeds: must be different whole numbers from 0 on, got [0, 0]"),
        ("seeds: [0]", "seeds: [0]\nseeds: [1]", "'seeds' is given twice"),
        (
            "use: knn",
            "use: knn, k: 0",
            "evaluation[0].k: has to be a whole number of at least 1, or a list of different ones",
        ),
        ("question: q", "question: q\nviews: {flip: 2}", "views.flip: input should be less than or equal to 1, got 2"),
        ("label: a", "feature_transform: {positive: {alhpa: 1}}", "feature_transform.positive.alhpa"),
    ],
)
def test_a_mistake_is_refused_with_path_value_and_rule(tmp_path, old, new, message):
    text = refusal(tmp_path, GOOD.replace(old, new))
    assert message in text
    assert "x.yaml" in text


def test_two_methods_of_one_label_are_refused(tmp_path):
    text = refusal(tmp_path, GOOD.replace("  - {use", "  - {use: simclr, label: a}\n  - {use"))
    assert "two are called a" in text


def test_several_mistakes_are_told_at_once(tmp_path):
    text = refusal(tmp_path, GOOD.replace("use: digits", "use: digts").replace("depth", "dept"))
    assert "digts" in text
    assert "dept" in text


def test_reserved_names_and_missing_or_broken_files(tmp_path):
    assert "cannot be called jobs" in refusal(tmp_path, GOOD, "jobs.yaml")
    with pytest.raises(InputError, match="no such file"):
        load_study(tmp_path / "absent.yaml")
    assert "not valid YAML" in refusal(tmp_path, "a: [")
    assert "must be a mapping" in refusal(tmp_path, "- 1")


def test_a_study_may_be_given_by_its_name_and_an_unknown_one_is_refused_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("recipes", "pairs"):
        (tmp_path / "experiments" / folder).mkdir(parents=True)
    for file in ("quick.yaml", "pairs/transfer.yaml", "transfer.yaml", "recipes/simclr.yaml"):
        (tmp_path / "experiments" / file).write_text(GOOD)
    (tmp_path / "other.yaml").write_text(f"name: mine\n{GOOD}")
    assert load_study(Path("quick")).name == "quick"
    assert plan_file(Path("quick")).file == "experiments/quick.yaml"
    assert load_study(Path("mine")).name == "mine"
    assert plan_file(Path("pairs/transfer")).file == "experiments/pairs/transfer.yaml"
    several = "several studies (experiments/pairs/transfer.yaml, experiments/transfer.yaml); give the file"
    with pytest.raises(InputError, match=re.escape(several)):
        load_study(Path("transfer"))
    with pytest.raises(InputError, match=r"^quik: no such file .*; did you mean quick \(experiments/quick.yaml\)\?$"):
        load_study(Path("quik"))
    with pytest.raises(InputError, match="name a study, such as"):
        load_study(Path("simclr"))


def test_numbers_are_read_as_people_write_them(tmp_path):
    path = study_file(tmp_path, "{a: 1e-4, b: .5, c: -2, d: 1.5E3, e: '1e-4', f: 07x}")
    assert read_yaml(path) == {"a": 1e-4, "b": 0.5, "c": -2, "d": 1500.0, "e": "1e-4", "f": "07x"}


def test_a_recipe_is_taken_and_changed(tmp_path):
    text = GOOD.replace("{use: moco, queue_size: 512, label: a}", "{recipe: moco_v2/cifar, queue_size: 512, label: a}")
    entry = load_study(study_file(tmp_path, text)).methods[0]
    assert entry.given["bn_splits"] == 8  # of the recipe
    assert entry.given["queue_size"] == 512  # of the study


def test_unknown_recipes_and_scales_are_refused(tmp_path):
    assert "did you mean 'moco_v2'" in refusal(
        tmp_path, GOOD.replace("use: moco,", "recipe: moco_v3x/cifar,").replace("v3x", "v22")
    )
    assert "has no scale 'cifer'" in refusal(tmp_path, GOOD.replace("use: moco,", "recipe: moco_v2/cifer,"))


def test_feature_transformation_is_refused_with_the_reason_where_it_has_no_meaning(tmp_path):
    text = refusal(
        tmp_path, GOOD.replace("{use: moco, queue_size: 512, label: a}", "{use: mae, feature_transform: {}}")
    )
    assert "methods[0].feature_transform: it changes the two embeddings" in text
    assert "for byol, cmc, instdisc, moco, pirl, simclr, simsiam, swav, not for mae" in text


def test_keys_that_begin_with_x_carry_anchors_and_are_left_out(tmp_path):
    text = GOOD + "\nx-base: &base {never: read}\n"
    assert load_study(study_file(tmp_path, text)) == load_study(study_file(tmp_path, GOOD))
    said = refusal(tmp_path, text.replace("x-base", "base"))
    assert "there is no key 'base'; where it is there for its anchor alone, call it x-base" in said
    plain = refusal(tmp_path, text.replace("x-base: &base", "base:"))
    assert "there is no key 'base'; there are" in plain
    assert "x-base" not in plain
