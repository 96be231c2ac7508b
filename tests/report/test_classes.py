"""Class accuracies and confusions of the report: scikit-learn's numbers, from the predictions beside the records."""

import csv
from pathlib import Path

import numpy as np
import pytest
from report_tools import finish, planned
from sklearn.metrics import confusion_matrix, recall_score

from pipelines.evaluation.predictions import Predictions
from pipelines.files import read_json, write_json
from pipelines.report import classes
from pipelines.report.classes import class_tables, confusions
from pipelines.report.comparison import comparisons
from pipelines.report.study import load_results
from pipelines.stages import report

STUDY = """
question: Which is best?
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 16, stem: small}
methods: [{use: simclr, label: good}, {use: byol, label: fair}]
training: {epochs: 2, batch_size: 64}
seeds: [0, 1]
floors: false
evaluation: [{use: knn}, {use: few_shot, shots: [1]}]
"""
NAMES = [f"digit {number}" for number in range(10)]
INDEX = {
    "classes": NAMES,
    "image_size": 16,
    "uniform": True,
    "channels": 1,
    "unreadable": [],
    "mean": [0.5],
    "std": [0.2],
}
LABEL = np.arange(300) % 10


def said(label: str, seed: int) -> np.ndarray:
    """Mostly right; ``fair`` takes some sevens for ones."""
    draw = np.random.default_rng([seed, len(label)])
    named = np.where(draw.random(300) < 0.8, LABEL, draw.integers(0, 10, 300))
    return np.where((LABEL == 7) & (label == "fair") & (draw.random(300) < 0.5), 1, named)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The study with both methods' kNN done."""
    path = planned(tmp_path, STUDY)
    for job in read_json(path)["jobs"]:
        if job["stage"] == "shards":
            folder = finish(tmp_path, job, derived={"classes": 10}, artifacts={"index": "index.json"})
            write_json(
                folder / "index.json",
                INDEX,
            )
        elif job["stage"] == "evaluate" and job["spec"]["evaluation"]["use"] == "knn":
            named = said(job["label"], job["spec"]["seed"])
            top1 = float((named == LABEL).mean())
            folder = finish(tmp_path, job, metrics={"test/top1": top1}, artifacts={"predictions": "predictions.npz"})
            Predictions.of([f"image{i}" for i in range(300)], LABEL, named).save(folder / "predictions.npz")
    return path


def tables(plan: Path, folder: Path):
    results = load_results(plan, folder)
    return class_tables([confusions(results, each) for each in comparisons(results)], "caption")


def test_every_class_has_scikit_learns_accuracy_with_its_spread_over_seeds(plan: Path, tmp_path: Path) -> None:
    accuracy, _ = tables(plan, tmp_path)
    assert accuracy.header == ("class", "test images", "good", "fair")
    for number, row in enumerate(accuracy.rows):
        assert (row[0].text, row[1].text) == (NAMES[number], "30")
        for entry, label in zip(row[2:], ("good", "fair"), strict=True):
            by_seed = [100 * recall_score(LABEL, said(label, seed), average=None)[number] for seed in (0, 1)]
            assert entry.text == f"{np.mean(by_seed):.1f} ± {np.std(by_seed, ddof=1):.1f}"


def test_confusions_are_those_of_scikit_learns_matrix(plan: Path, tmp_path: Path) -> None:
    _, confused = tables(plan, tmp_path)
    mean = np.mean([confusion_matrix(LABEL, said("fair", seed), normalize="true") for seed in (0, 1)], axis=0)
    row = next(row for row in confused.rows if row[0].text == "fair")
    assert row[2].text == f"digit 7 as digit 1 {100 * mean[7, 1]:.1f}"
    np.fill_diagonal(mean, 0)
    assert [float(entry.text.rsplit(" ", 1)[1]) for entry in row[2:]] == pytest.approx(
        sorted(100 * mean.ravel())[: -classes.MOST_CONFUSIONS - 1 : -1], abs=0.051
    )


def test_of_many_classes_the_page_has_the_hardest_and_the_file_all(plan: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(classes, "MOST_CLASSES", 3)
    report.run(plan, tmp_path, tmp_path / "out", Path(__file__).parents[2] / "reports")
    accuracy, _ = tables(plan, tmp_path)
    means = np.mean([recall_score(LABEL, said(m, s), average=None) for m in ("good", "fair") for s in (0, 1)], axis=0)
    assert {row[0].text for row in accuracy.rows} == {NAMES[number] for number in np.argsort(means, kind="stable")[:3]}
    assert accuracy.remarks == ("The 3 hardest of 10 classes; all of them are in tables/per_class.csv.",)
    with (tmp_path / "out" / "tables" / "per_class.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * 10
    line = next(each for each in lines if (each["method"], each["class"]) == ("fair", "digit 7"))
    by_seed = [recall_score(LABEL, said("fair", seed), average=None)[7] for seed in (0, 1)]
    assert float(line["mean_percent"]) == pytest.approx(100 * np.mean(by_seed))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<summary>Show 2 tables of classes and confusions</summary>" in page


def test_without_predictions_there_is_no_such_section(tmp_path: Path) -> None:
    path = planned(tmp_path, STUDY)
    for job in read_json(path)["jobs"]:
        if job["stage"] == "evaluate":
            finish(tmp_path, job, metrics={"test/top1": 0.5})
    assert tables(path, tmp_path) == ()


def test_without_the_index_classes_have_numbers(plan: Path, tmp_path: Path) -> None:
    next((tmp_path / "jobs" / "shards").rglob("index.json")).unlink()
    accuracy, _ = tables(plan, tmp_path)
    assert [row[0].text for row in accuracy.rows][:2] == ["class 0", "class 1"]
