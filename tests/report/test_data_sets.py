"""Studies of several data sets: a table for each, floors of their own, and transfer over all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_tools import answered, finish, planned

from pipelines.files import read_json
from pipelines.report import floors
from pipelines.report.cells import Row
from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.results import NO_CEILING, results_table
from pipelines.report.study import load_results
from pipelines.report.transfer import transfer_table
from pipelines.report.transfer_chart import transfer_charts
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.low_shot import Options as LowShot
from pipelines.spec.evaluation.multi_label import Options as MultiLabel
from pipelines.stages import report

REPORTS = Path(__file__).parents[2] / "reports"
STUDY = """
question: Which features travel?
datasets:
  - {use: digits, image_size: 16}
  - {use: fashion_mnist, limit: 2000, image_size: 16}
  - {use: cifar10, role: target, image_size: 16}
encoder: {use: resnet, depth: 10, width: 16, stem: small}
methods:
  - {use: simclr, label: simclr}
  - {use: supervised, label: supervised}
  - {use: mae, label: mae, encoder: {use: vit, size: micro, patch: 4}}
training: {epochs: 2, batch_size: 64}
seeds: [0, 1]
evaluation: [{use: knn}]
"""
SCORES = {"raw pixels": 0.5, "simclr": 0.7, "mae": 0.6, "supervised": 0.9}
HARDER = {"digits": 0.0, "fashion_mnist-2000": 0.1, "cifar10": 0.3}


def top1(job: dict[str, Any]) -> float:
    name = job["spec"]["dataset"]["use"]
    score = SCORES.get(job["label"], 0.4) - HARDER.get(name, 0.1)
    return score - (0.5 if job["label"] == "simclr" and name == "cifar10" else 0.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(plan.json, results folder), all finished; test sets of 100 images of ten classes."""
    folder = tmp_path_factory.mktemp("results")
    plan = planned(folder, STUDY)
    for job in read_json(plan)["jobs"]:
        if job["stage"] == "evaluate":
            answered(folder, job, [i < 100 * top1(job) for i in range(100)])
        else:
            finish(folder, job)
    return plan, folder


@pytest.fixture(scope="module")
def found(made: tuple[Path, Path]) -> list[Comparison]:
    return comparisons(load_results(*made))


def row(comparison: Comparison, title: str) -> Row:
    return next(row for row in comparison.rows if row.title == title)


def test_each_data_set_has_a_table_that_says_where_a_method_was_pretrained(found: list[Comparison]) -> None:
    assert [each.dataset.short_name for each in found] == ["digits", "cifar10", "fashion_mnist-2000"]
    methods = [[row.title for row in each.rows if row.competes] for each in found]
    assert methods[0] == ["simclr", "mae"]
    assert methods[1] == [
        *("mae (from digits)", "mae (from fashion_mnist-2000)"),  # the highest mean first, on these images mae's
        *("simclr (from digits)", "simclr (from fashion_mnist-2000)"),
    ]
    assert all(cell.n == 2 for each in found for (row, _), cell in each.cells.items() if row.competes)


def test_a_method_with_an_encoder_of_its_own_has_a_floor_of_its_own(found: list[Comparison]) -> None:
    for each in found:
        floors = {row.title: each.own_floor(row) for row in each.rows}
        assert {row.title for row in each.rows if row.is_floor} >= {"untrained vit_micro4 (mae)", "raw pixels"}
        for title, floor in floors.items():
            label = {"s": "untrained resnet10w16", "m": "untrained vit_micro4 (mae)"}.get(title[0])
            assert (floor.label if floor else None) == (label if not row(each, title).is_floor else None), title


def test_guesses_are_floors_from_the_labels_and_have_no_spread(found: list[Comparison]) -> None:
    (column,) = found[0].columns
    assert [row.title for row in found[0].rows][:2] == ["chance", "majority class"]
    assert found[0].cells[row(found[0], "chance"), column].text == "10.0"
    assert found[0].test.one_image == 1.0
    assert [floor.label for floor in found[1].not_above(row(found[1], "simclr (from digits)"), column)] == [
        *("chance", "majority class", "raw pixels", "untrained resnet10w16")
    ]


UNEVEN = floors.TestSet(4, 2, np.array([0, 0, 0, 1]))


@pytest.mark.parametrize(
    ("evaluation", "number", "expected"),
    [
        (Knn(), "top1", {"chance": 50.0, "majority class": 75.0}),
        (Knn(), "mean_per_class", {"chance": 50.0, "majority class": 50.0}),
        (Knn(leave_one_out=True), "leave_one_out", {"chance": 50.0}),
        (FewShot(shots=(1, 4)), "4_shot", {"chance": 50.0, "majority class": 75.0}),
        (FewShot(ways=5, shots=(1,)), "1_shot", {"chance": 20.0}),
        (LowShot(), "1_percent", {"chance": 50.0, "majority class": 75.0}),
        (Knn(), "some_loss", {}),
        (MultiLabel(), "map", {}),
    ],
)
def test_what_a_guess_that_looks_at_no_image_scores(evaluation, number: str, expected: dict[str, float]) -> None:
    assert {row.label: mean for row, mean in UNEVEN.guesses(evaluation, number).items()} == expected


def test_ranks_are_means_over_data_sets_among_those_that_compete(found: list[Comparison]) -> None:
    table = transfer_table(found, "caption")
    assert table
    assert table.header == (
        *("method", "digits", "cifar10 (from digits)", "cifar10 (from fashion_mnist-2000)"),
        *("fashion_mnist-2000", "mean rank"),
    )
    ranks = {line[0].text: line[-1].text for line in table.rows}
    # simclr 1, 2, 2, 1 and mae 2, 1, 1, 2 over the four columns; the supervised reference has no rank
    assert ranks == {"simclr": "1.5", "supervised": "–", "mae": "1.5"}
    assert transfer_table(found[:1], "caption") is None


def test_the_page_has_a_section_for_each_data_set(made: tuple[Path, Path]) -> None:
    plan, folder = made
    report.run(plan, folder, folder / "out", REPORTS)
    text = (folder / "out" / "report.html").read_text(encoding="utf-8")
    for name in ("transfer", "results-digits", "results-cifar10", "results-fashion_mnist-2000"):
        assert f'<section id="{name}">' in text
        assert (folder / "out" / "tables" / f"{name}.tex").exists()
    assert "simclr (from fashion_mnist-2000)" in text


def test_the_heat_map_says_how_far_behind_the_best_a_method_is_on_every_data_set(found: list[Comparison]) -> None:
    ((_, chart),) = transfer_charts(found)
    (rows,) = chart["datasets"].values()
    assert len({row["dataset"] for row in rows}) == 4
    for dataset in {row["dataset"] for row in rows}:
        there = [row for row in rows if row["dataset"] == dataset]
        best = max(row["mean"] for row in there)
        assert [row["behind"] for row in there] == pytest.approx([best - row["mean"] for row in there], abs=2e-3)
    assert {row["label"]: row["rank"] for row in rows} == {"simclr": "1.5", "supervised": "–", "mae": "1.5"}
    assert transfer_charts(found[:1]) == []


def test_the_supervised_reference_is_the_ceiling_where_it_was_trained(found: list[Comparison]) -> None:
    for each in found:
        (column,) = each.columns
        rows = [line for line in each.rows if line.label == "supervised" and line.trained_on == each.dataset.short_name]
        assert each.ceiling(column) == (each.cells[rows[0], column].mean if rows else None)
        remarks = results_table(each, {}, "results", "caption").remarks
        assert (NO_CEILING in remarks) == (not rows)
