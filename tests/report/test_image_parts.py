"""Recall and answers of other images, in what each test image adds to a number."""

import numpy as np
import pytest
from report_tools import finish, planned

from pipelines.errors import DamagedFile, InputError
from pipelines.evaluation.answers import save_answers
from pipelines.files import read_json
from pipelines.metric import Metric
from pipelines.report.image_parts import image_parts, parts_of
from pipelines.report.study import load_results
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


def test_other_protocols_and_numbers_have_none():
    assert image_parts("detection", "ap", {}) is None
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
