"""The sentences at the head of the page, against the numbers they are made from."""

from pathlib import Path

import numpy as np
from report_tools import FakeStudy, answered, finish, planned

from pipelines.files import read_json
from pipelines.report.answer import answer
from pipelines.report.comparison import comparisons
from pipelines.report.study import load_results

DATASET = {"use": "digits"}
STUDY = """
question: Which is best?
dataset: {{use: digits, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 16, stem: small}}
methods: [{{use: simclr, label: good}}, {{use: byol, label: fair}}, {{use: simsiam, label: bad}}]
training: {{epochs: 2, batch_size: 64}}
seeds: {seeds}
evaluation: [{{use: knn}}]
"""


def sentences(plan: Path, folder: Path) -> str:
    results = load_results(plan, folder)
    (found,) = comparisons(results)
    return answer(results, found)


def with_seeds(folder: Path, seeds: int) -> str:
    """400 test images; good and fair take turns by seed, bad is 40 points below good and its encoder 60."""
    plan = planned(folder, STUDY.format(seeds=list(range(seeds))))
    for job in read_json(plan)["jobs"]:
        if job["stage"] == "evaluate":
            seed = job["spec"]["seed"]
            level = {"good": 362, "fair": 360 + 4 * (seed % 2), "bad": 202}.get(job["label"], 122)
            answered(folder, job, np.arange(400) < level + 2 * (seed % 3))
        else:
            finish(folder, job, seconds=90.0)
    return sentences(plan, folder)


def test_best_margins_noise_and_cost_are_said_with_their_numbers(tmp_path: Path) -> None:
    text = with_seeds(tmp_path, 6)
    assert text.startswith("On digits, good is the highest of 3 methods with all their seeds, by kNN (k 20): 91.0 % [")
    assert "] over 6 seeds. The next, fair, is 0.0 points [" in text
    assert "Before any training its encoder is 60.0 points [" in text
    assert "] below it. Raw pixels have 30.5 %, 60.5 points [" in text
    assert "] less. Within noise of it: fair." in text
    assert text.endswith("A pretraining of it took 1 min 30 s (median) on Some CPU.")


def test_where_every_method_saw_the_labels_none_is_best_and_none_is_said_to_be_missing(tmp_path: Path) -> None:
    plan = planned(
        tmp_path, STUDY.format(seeds=[0]).replace("{use: simclr, label: good}", "{use: supervised, label: told}")
    )
    for job in read_json(plan)["jobs"]:
        if job["label"] in ("fair", "bad"):
            continue
        if job["stage"] == "evaluate":
            answered(tmp_path, job, np.arange(400) < 300)
        else:
            finish(tmp_path, job, seconds=90.0)
    text = sentences(plan, tmp_path)
    assert (
        text
        == "On digits every method that has finished saw the labels of the images (told), so none is called the best."
    )


def test_few_seeds_make_no_verdict(tmp_path: Path) -> None:
    text = with_seeds(tmp_path, 2)
    assert "With fewer than 6 seeds in common no test over seeds can show a difference between methods" in text
    assert "Within noise" not in text


def test_nothing_is_best_before_a_method_has_all_its_seeds(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, DATASET, {})
    assert sentences(fake.save(), tmp_path) == (
        "On digits no method has finished all its seeds yet, so there is nothing to compare."
    )


def test_a_method_below_its_floor_and_alone_is_said_to_be(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, DATASET, {"knn": {"test/top1": 0.6}, "linear": {"test/top1": 0.7}})
    fake.evaluate("untrained resnet18w16", "untrained", 0, DATASET, {"knn": {"test/top1": 0.8}})
    text = sentences(fake.save(), tmp_path)
    assert "simclr is the only method with all its seeds, by kNN (k 20): 60.0 % over 1 seed." in text
    assert "Before any training its encoder is 20.0 points above it." in text
    assert "It is first by linear probe too." in text
