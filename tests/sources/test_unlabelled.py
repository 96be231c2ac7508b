"""Images without labels: pretrained on and embedded, never measured on."""

from pathlib import Path

import pytest
from source_tools import image

from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.records import read_record
from pipelines.sources.imagefolder import read
from pipelines.sources.index import load_index
from pipelines.spec.datasets.imagefolder import Options as ImageFolder
from pipelines.spec.plan import Plan, plan_file

STUDY = """
question: q
datasets:
  - {{use: imagefolder, name: mine, folder: {folder}, image_size: 8{more}}}
{target}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: {method}}}]
seeds: [0]
training: {{epochs: 1, batch_size: 8, precision: float32}}
evaluation: [{{use: knn, k: 5}}]
"""
DIGITS = "  - {use: digits, limit: 60, role: target}"


def planned(tmp_path: Path, target: str = DIGITS, more: str = "", method: str = "simclr", end: str = "") -> Plan:
    study = tmp_path / "x.yaml"
    text = STUDY.format(folder=tmp_path / "pics", target=target, more=more, method=method)
    study.write_text(text + end)
    return plan_file(study)


def flat(folder: Path, count: int = 24) -> None:
    for number in range(count):
        image(folder / f"{number}.png", seed=number)


def test_a_flat_folder_is_packed_pretrained_on_and_its_encoder_measured_on_a_target(tmp_path: Path) -> None:
    flat(tmp_path / "pics")
    plan, results = planned(tmp_path), tmp_path / "results"
    assert main(["plan", str(tmp_path / "x.yaml"), "--results", str(results), "--write"]) == 0
    for stage in ("shards", "pretrain", "evaluate"):
        for job in plan.of(stage):
            assert main([stage, "--job", str(job.folder(results))]) == 0
    assert {job.spec.dataset.short_name for job in plan.of("evaluate")} == {"digits-60"}  # type: ignore[attr-defined]
    (weights,) = plan.of("pretrain")
    assert "final/eval/online_knn" not in read_record(weights.folder(results)).metrics
    index = load_index(plan.of("shards")[0].folder(results))
    assert (index.classes, index.count("train"), index.count("test"), len(index.holdout)) == ((), 19, 5, 2)


def test_labels_none_takes_every_image_below(tmp_path: Path) -> None:
    image(tmp_path / "train" / "a" / "deep" / "x.png")
    image(tmp_path / "train" / "y.png")
    image(tmp_path / "test" / "z.png")
    options = ImageFolder(name="toy", folder=str(tmp_path), labels="none")
    source = read(options)
    assert (source.train.ids, source.test.ids) == (["train/a/deep/x.png", "train/y.png"], ["test/z.png"])
    assert (source.classes, source.train.labels.tolist(), options.without_labels) == ((), [-1, -1], True)
    with pytest.raises(InputError, match=r"an image beside class folders.*dataset.labels: none"):
        read(ImageFolder(name="toy", folder=str(tmp_path)))


@pytest.mark.parametrize("target", ["", "  - {use: imagefolder, name: other, folder: FOLDER, role: target}"])
def test_measuring_on_what_has_no_labels_is_refused_with_the_way_out(tmp_path: Path, target: str) -> None:
    flat(tmp_path / "pics", 4)
    with pytest.raises(InputError, match=r"(mine|other) has no labels.*a labelled data set with role: target"):
        planned(tmp_path, target.replace("FOLDER", str(tmp_path / "pics")))


def test_tuning_and_methods_that_need_labels_are_refused(tmp_path: Path) -> None:
    flat(tmp_path / "pics", 4)
    with pytest.raises(InputError, match="supervised trains on labels, and mine has none"):
        planned(tmp_path, method="supervised")
    tuning = "tuning: {trials: 1, methods: [simclr], space: {temperature: {low: 0.1, high: 0.5}}}"
    with pytest.raises(InputError, match=r"tuning: its objective.*mine has none"):
        planned(tmp_path, end=tuning)


def test_a_class_list_beside_labels_none_is_refused() -> None:
    with pytest.raises(ValueError, match="leave one out"):
        ImageFolder(name="toy", folder="x", labels="none", classes="y")
