"""Recall and answers of other images, in what each test image adds to a number."""

import numpy as np
import pytest
from protocol_tools import OPTIONS, features, measured
from report_tools import answered, finish, planned

from pipelines.errors import DamagedFile, InputError
from pipelines.evaluation.answers import save_answers
from pipelines.files import read_json
from pipelines.metric import Metric
from pipelines.report.comparison import comparisons
from pipelines.report.image_parts import image_parts, parts_of
from pipelines.report.study import load_results
from pipelines.spec.datasets.digits import Options as Digits
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.jobs import EvaluateSpec

OWNER = np.array([0, 0, 0, 1, 2, 2])
SAID = {"image_to_text": np.array([0, 4, 9]), "text_to_image": np.array([0, 7, 0, 0, 3, 8]), "owner": OWNER}
STUDY = """
question: q
dataset: {use: coco_captions, folder: %s, image_size: 32}
encoder: {use: resnet, depth: 10, width: 16, stem: small}
methods: [{use: clip}]
training: {epochs: 1, batch_size: 8}
seeds: [0, 1]
evaluation: [{use: retrieval, at: [1, 5]}]
"""


def test_an_image_is_right_or_not_and_captions_go_with_their_image():
    assert image_parts("retrieval", "image_to_text_recall_5", SAID).tolist() == [True, True, False]
    parts = image_parts("retrieval", "text_to_image_recall_1", SAID)
    assert parts.mean() == pytest.approx(3 / 6)
    without = np.array([1 / 3, 2 / 5, 3 / 4])  # without the captions of image 0, 1, 2
    assert np.diff(parts) == pytest.approx(-2 * np.diff(without))


COUNTED = [(name, options) for name in ("few_shot", "low_shot") for options in OPTIONS[name]]
COUNTED += [("knn", Knn(k=(5, 3), leave_one_out=True))]


@pytest.mark.parametrize(("name", "options"), COUNTED)
def test_the_mean_over_images_of_what_each_adds_is_the_number(name, options):
    found = measured(name, options, features())
    numbers = [each for each in found.test if not each.endswith(("_sd", "_ci95"))]
    assert set(options.numbers) <= set(numbers)
    for number in numbers:
        parts = image_parts(name, number, found.answers)
        assert parts.mean() == pytest.approx(found.test[number], abs=1e-12)
        assert len(parts) == (240 if name == "knn" else 80)
    assert image_parts(name, "no_such_number", found.answers) is None


def test_an_image_that_was_asked_about_more_often_moves_the_number_more():
    said = {"1_shot": np.array([3, 0, 1]), "asked": np.array([4, 0, 1])}
    parts = image_parts("few_shot", "1_shot", said)
    without = np.array([1 / 1, 4 / 5, 3 / 4])
    assert parts.mean() == pytest.approx(4 / 5)
    assert np.diff(parts) == pytest.approx(-2 * np.diff(without))
    assert image_parts("few_shot", "1_shot", said | {"asked": np.full(3, 4)}).tolist() == [0.75, 0, 0.25]


def test_other_protocols_and_numbers_have_none():
    assert image_parts("detection", "ap", {"things": np.zeros((3, 2))}) is None
    assert image_parts("linear", "top1", {}) is None
    assert image_parts("segmentation", "pixel_accuracy", SAID) is None


def evaluated(folder, ids=("a", "b", "c"), recorded=0.5):
    """Both seeds of a study answered; the second of these images, and with this recall in its record."""
    coco = folder / "coco"
    for part in ("annotations", "train2017", "val2017"):
        (coco / part).mkdir(parents=True)
    plan = planned(folder, STUDY % coco)
    jobs = [
        job
        for job in read_json(plan)["jobs"]
        if job["stage"] == "evaluate" and job["spec"]["source"]["use"] == "pretrain"
    ]
    for job, names, value in zip(jobs, (("a", "b", "c"), ids), (0.5, recorded), strict=True):
        made = finish(folder, job, metrics={"test/text_to_image_recall_1": value}, artifacts={"answers": "answers.npz"})
        save_answers(SAID, names, made / "answers.npz")
    results = load_results(plan, folder)
    return [job for job in results.of(EvaluateSpec) if job.record]


def test_answers_of_other_images_or_another_number_are_refused(tmp_path):
    found = parts_of(evaluated(tmp_path / "right"), Metric("test", "text_to_image_recall_1"))
    assert set(found) == {0, 1}
    with pytest.raises(InputError, match="not of the same test images"):
        parts_of(evaluated(tmp_path / "ids", ids=("a", "b", "x")), Metric("test", "text_to_image_recall_1"))
    with pytest.raises(DamagedFile, match=r"gives test/text_to_image_recall_1 0\.500000, its record says 0\.600000"):
        parts_of(evaluated(tmp_path / "other", recorded=0.6), Metric("test", "text_to_image_recall_1"))


def test_a_broken_file_is_named(tmp_path):
    jobs = evaluated(tmp_path)
    (jobs[0].folder / "answers.npz").write_bytes(b"PK broken")
    with pytest.raises(DamagedFile, match=r"answers\.npz"):
        parts_of(jobs, Metric("test", "text_to_image_recall_1"))


SHOTS = """
question: q
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 16, stem: small}
methods: [{use: simclr}]
training: {epochs: 1, batch_size: 8}
seeds: [0, 1]
evaluation: [{use: knn}, {use: few_shot, shots: [1], draws: 4}]
"""


def test_intervals_of_draws_and_of_the_mean_over_classes_count_images(tmp_path, monkeypatch):
    monkeypatch.setattr(Digits, "convention", "mean_per_class")
    plan, draw = planned(tmp_path, SHOTS), np.random.default_rng(0)
    for job in read_json(plan)["jobs"]:
        if job["stage"] != "evaluate":
            continue
        if job["spec"]["evaluation"]["use"] == "knn":
            right = draw.random(90) < 0.8
            answered(tmp_path, job, right)
            means = [right[number::10].mean() for number in range(10)]
            extra = {"test/top1": right.mean(), "test/mean_per_class": np.mean(means)}
            finish(tmp_path, job, metrics=extra, artifacts={"predictions": "predictions.npz"})
        else:
            counts = draw.binomial(4, 0.6, 90).astype(np.uint32)
            folder = finish(
                tmp_path, job, metrics={"test/1_shot": counts.mean() / 4}, artifacts={"answers": "answers.npz"}
            )
            said = {"1_shot": counts, "asked": np.full(90, 4)}
            save_answers(said, [f"image{i}" for i in range(90)], folder / "answers.npz")
    (found,) = comparisons(load_results(plan, tmp_path))
    row = next(row for row in found.rows if row.label == "simclr")
    numbers = {column.metric.number: found.cells[row, column].estimate for column in found.columns}
    assert set(numbers) == {"mean_per_class", "top1", "1_shot"}
    assert {each.counts for each in numbers.values()} == {"seeds and images"}
    assert all(each.low < each.mean < each.high for each in numbers.values())
