"""The numbers in the table, against ones worked out by hand."""

import math
from pathlib import Path

import pytest
from report_tools import FakeStudy

from pipelines.report.cells import Cell, protocol_titles
from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.study import load_results
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.statistics.intervals import Estimate

DATASET = {"use": "digits", "limit": None}


def only(value: float | None) -> dict[str, dict[str, float | None]]:
    return {"knn": {"test/top1": value}}


def comparison(folder: Path, fake: FakeStudy) -> Comparison:
    """Of the one data set there is."""
    (found,) = comparisons(load_results(fake.save(), folder))
    return found


def text(found: Comparison, label: str, title: str = "kNN (k 20)") -> str:
    return next(cell.text for (row, column), cell in found.cells.items() if (row.label, column.title) == (label, title))


def test_mean_and_sample_deviation_over_seeds(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    for seed, share in enumerate((0.80, 0.82, 0.87)):
        fake.run("simclr", seed, DATASET, only(share))
    found = comparison(tmp_path, fake)
    cell = found.cells[found.rows[0], found.columns[0]]
    # mean (80 + 82 + 87) / 3 = 83; deviations -3, -1, 4: variance 26 / 2 = 13
    assert cell.mean == pytest.approx(83.0)
    assert cell.estimate is not None
    assert cell.estimate.sd == pytest.approx(math.sqrt(13))
    assert cell.text == "83.0 ± 3.6 (3)"


def test_a_data_set_with_a_convention_shows_its_number_first(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, {"use": "pets", "limit": None}, {"knn": {"test/top1": 0.5, "test/mean_per_class": 0.25}})
    found = comparison(tmp_path, fake)
    assert [str(column.metric) for column in found.columns][:2] == ["test/mean_per_class", "test/top1"]
    assert text(found, "simclr", "kNN (k 20), mean per class") == "25.0 (1)"


def test_one_seed_has_no_spread(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, DATASET, only(0.5))
    assert text(comparison(tmp_path, fake), "simclr") == "50.0 (1)"


def test_missing_seeds_and_cells_are_printed(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    for seed in range(3):
        fake.run("simclr", seed, DATASET, only(0.5) if seed else {})
    found = comparison(tmp_path, fake)
    assert text(found, "simclr") == "50.0 ± 0.0 (2 of 3)"
    assert text(found, "simclr", "linear probe") == "missing (0 of 3)"


def test_what_was_not_planned_is_a_dash_and_not_missing(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, DATASET, only(0.5))
    fake.job("evaluate", "z", "moco_v2", {"dataset": DATASET, "evaluation": {"use": "zero_shot"}})
    found = comparison(tmp_path, fake)
    assert text(found, "simclr", "zero-shot") == "–"
    assert text(found, "moco_v2", "zero-shot") == "missing (0 of 1)"


def test_numbers_of_single_classes_are_no_columns(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    voc = {"dataset": {"use": "voc"}, "evaluation": {"use": "multi_label"}}
    fake.job("evaluate", "m", "simclr", voc, metrics={"test/map": 0.5, "test/ap/cat": 0.7, "test/ap/dog": 0.3})
    (found,) = comparisons(load_results(fake.save(), tmp_path))
    assert [column.title for column in found.columns] == ["multi-label, mAP"]


def test_a_metric_that_is_not_finite_is_not_averaged(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, DATASET, only(0.5))
    fake.run("simclr", 1, DATASET, only(None))
    fake.run("moco_v2", 0, DATASET, only(None))
    found = comparison(tmp_path, fake)
    assert text(found, "simclr") == "50.0 (1 of 2)"
    assert text(found, "moco_v2") == "not finite (0 of 1)"


def test_a_collapsed_pretraining_is_flagged_in_its_cells_and_still_counted(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simsiam", 0, DATASET, only(0.9))
    fake.run("simsiam", 1, DATASET, only(0.1), flags=["collapsed", "not_finite:train/loss", "not_finite:train/lr"])
    found = comparison(tmp_path, fake)
    cell = found.cells[found.rows[0], found.columns[0]]
    assert cell.flags == (("collapsed", 1), ("not finite", 1))
    assert cell.mean == pytest.approx(50.0)


def test_best_leaves_out_floors_references_and_incomplete_cells(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.evaluate("raw pixels", "pixels", 0, DATASET, only(0.99))
    fake.run("supervised", 0, DATASET, only(0.98), method={"use": "supervised"})
    fake.run("moco_v1", 0, DATASET, only(0.97))
    fake.run("moco_v1", 1, DATASET, {})
    fake.run("simclr", 0, DATASET, only(0.80))
    fake.run("moco_v2", 0, DATASET, only(0.81))
    found = comparison(tmp_path, fake)
    best = found.best(found.columns[0])
    assert best is not None
    assert best.label == "moco_v2"


def test_floors_come_first_and_a_method_not_above_them_is_known(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("simclr", 0, DATASET, only(0.80))
    fake.run("moco_v2", 0, DATASET, only(0.81))
    fake.evaluate("untrained resnet18", "untrained", 0, DATASET, only(0.70))
    fake.evaluate("raw pixels", "pixels", 0, DATASET, only(0.80))
    found = comparison(tmp_path, fake)
    assert [row.label for row in found.rows] == ["raw pixels", "untrained resnet18", "moco_v2", "simclr"]
    below = {row.label: [floor.label for floor in found.not_above(row, found.columns[0])] for row in found.rows}
    assert below == {"raw pixels": [], "untrained resnet18": [], "simclr": ["raw pixels"], "moco_v2": []}


def test_grid_points_are_rows_of_their_own(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.run("moco_v2[temperature=0.1]", 0, DATASET, only(0.8))
    fake.run("moco_v2[temperature=0.2]", 0, DATASET, only(0.7))
    found = comparison(tmp_path, fake)
    assert text(found, "moco_v2[temperature=0.1]") == "80.0 (1)"
    assert text(found, "moco_v2[temperature=0.2]") == "70.0 (1)"


def test_two_settings_of_one_protocol_are_told_apart() -> None:
    knn = [Knn(k=k) for k in (20, 200)]
    assert list(protocol_titles(knn).values()) == ["kNN (k 20)", "kNN (k 200)"]
    assert list(protocol_titles([Linear(epochs=30)]).values()) == ["linear probe"]


def test_an_end_just_below_zero_is_printed_without_a_sign() -> None:
    cell = Cell({0: 0.0}, 1, estimate=Estimate(0.0, 1.0, 6, -0.04, 7.3, "seeds and images"))
    assert cell.interval == "[0.0, 7.3]"
