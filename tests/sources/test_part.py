"""Some classes of a data set: numbered anew, the others gone, and a study whose pretraining never sees what it is asked."""

import numpy as np
import pytest
from PIL import Image
from study_tools import Made

from pipelines.errors import InputError
from pipelines.sources.base import open_source
from pipelines.sources.reader import open_shards
from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.datasets.imagefolder import Options as ImageFolder
from pipelines.spec.parse import parse
from pipelines.spec.part import Part
from pipelines.spec.plan import plan_file

STUDY = """
question: q
datasets:
  - {use: digits, part: {name: seen, classes: ["0", "1", "2", "3", "4"]}}
  - {use: digits, part: {name: unseen, classes: ["7", "5", "9"]}, role: target}
encoder: {use: resnet, depth: 10, width: 8}
methods: [{use: simclr, label: m}]
seeds: [0]
training: {batch_size: 64, epochs: 1, precision: float32}
evaluation: [{use: few_shot, ways: 3, shots: [1, 5], draws: 20}]
"""


def part(*classes: str) -> Part:
    return Part(name="some", classes=classes)


def test_the_images_are_those_of_the_whole_set_under_new_numbers():
    whole, some = open_source(Digits()), open_source(Digits(part=part("7", "5")))
    assert some.classes == ("7", "5")
    for name in ("train", "test"):
        labels = whole.split(name).labels
        rows = np.flatnonzero(np.isin(labels, [7, 5]))
        assert some.split(name).ids == [whole.split(name).ids[row] for row in rows]
        assert some.split(name).labels.tolist() == [{7: 0, 5: 1}[label] for label in labels[rows].tolist()]
        first = some.split(name).read(0)
        assert first.image == whole.split(name).read(int(rows[0])).image
        assert first.label == some.split(name).labels[0]


def test_a_part_has_a_name_and_no_part_changes_no_key():
    assert Digits(part=part("7")).short_name == "digits-some"
    assert Digits(part=part("7"), limit=5).short_name == "digits-some-5"
    assert Digits(part=part("7")).train_images is None
    assert "part" not in Digits().model_dump()


@pytest.mark.parametrize(
    ("name", "said"),
    [("sevn", "did you mean 'seven'"), ("x", "it has eight, seven"), ("Eight", "did you mean 'eight'")],
)
def test_a_class_that_there_is_not_is_told_when_planned(name, said, tmp_path):
    for split in ("train", "test"):
        for kind in ("seven", "eight"):
            (tmp_path / split / kind).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / split / kind / "1.png")
    given = ImageFolder(name="mine", folder=str(tmp_path), part=part("seven", name))
    for look in (given.contents, lambda: open_source(given)):
        with pytest.raises(
            InputError, match=rf"^mine-some: dataset\.part\.classes: there is no class '{name}'; {said}"
        ):
            look()


def test_counts_before_packing_are_those_after(tmp_path):
    for split, counts in (("train", (4, 3, 2)), ("val", (1, 2, 3)), ("test", (2, 1, 3))):
        for kind, count in zip("abc", counts):
            (tmp_path / split / kind).mkdir(parents=True)
            for i in range(count):
                Image.new("L", (8, 8), 20 * i).save(tmp_path / split / kind / f"{i}.png")
    given = ImageFolder(name="mine", folder=str(tmp_path), part=part("c", "a"))
    source, counts = open_source(given), given.contents().counts
    assert source.held is not None
    held = [source.train.labels[row] for row in source.held]
    assert np.bincount(source.train.labels).tolist() == list(counts.train) == [5, 5]
    assert np.bincount(held).tolist() == list(counts.held) == [3, 1]
    assert np.bincount(source.test.labels).tolist() == list(counts.test) == [3, 2]


def test_classes_are_different_and_there_is_one():
    for classes, said in (([], "classes"), (["1", "1"], "names 1 twice")):
        with pytest.raises(InputError, match=said):
            parse(Digits, {"use": "digits", "part": {"name": "p", "classes": classes}}, "x", "dataset")


def test_pretraining_never_sees_the_classes_that_episodes_are_drawn_of(tmp_path):
    made = Made.of(STUDY, tmp_path)
    made.run(*made.plan.of("pretrain"))
    job = next(
        job
        for job in made.plan.of("evaluate")
        if "weights" in job.inputs and job.spec.dataset.short_name == "digits-unseen"
    )
    made.run(job)
    record = made.record(job)
    assert 1 / 3 < record["metrics"]["test/1_shot"] < record["metrics"]["test/5_shot"] <= 1
    seen, unseen = (open_shards(each.folder(made.results)) for each in made.plan.of("shards"))
    assert (seen.class_names, unseen.class_names) == (tuple("01234"), ("7", "5", "9"))
    images = {split: set(open_source(made.plan.study.datasets[1]).split(split).ids) for split in ("train", "test")}
    trained = set(open_source(made.plan.study.datasets[0]).train.ids)
    assert not trained & (images["train"] | images["test"])


def test_two_parts_need_two_names(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY.replace("unseen", "seen"))
    with pytest.raises(InputError, match="two are called digits-seen"):
        plan_file(tmp_path / "study.yaml")
