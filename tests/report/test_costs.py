"""Accuracy against cost: which methods no other beats in both, and the order of the main table."""

from itertools import permutations
from pathlib import Path

from report_tools import FakeStudy

from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.costs import costs, pareto, points
from pipelines.report.results import results_table
from pipelines.report.study import Results, load_results

DATASET = {"use": "digits", "limit": None}
PLACES = [(1.0, 50.0), (2.0, 60.0), (2.0, 55.0), (3.0, 60.0), (4.0, 59.0), (5.0, 80.0), (5.0, 80.0)]


def dominated(one: tuple[float, float], others: list[tuple[float, float]]) -> bool:
    """By the definition, pair by pair."""
    return any(other != one and other[0] <= one[0] and other[1] >= one[1] for other in others)


def test_the_front_is_what_no_other_place_dominates_in_any_order() -> None:
    wanted = {place for place in PLACES if not dominated(place, PLACES)}
    assert wanted == {(1.0, 50.0), (2.0, 60.0), (5.0, 80.0)}
    for order in permutations(PLACES[:6]):
        assert pareto(order) == wanted
    assert pareto(PLACES) == wanted
    assert pareto([]) == set()


def study(folder: Path, shares: dict[str, float | None]) -> tuple[Results, Comparison]:
    fake = FakeStudy(folder)
    for label, share in shares.items():
        for seed in range(2):
            fake.run(label, seed, DATASET, {} if share is None else {"knn": {"test/top1": share}})
    results = load_results(fake.save(), folder)
    (found,) = comparisons(results)
    return results, found


def test_the_table_is_sorted_by_the_first_protocol_with_unmeasured_rows_last(tmp_path: Path) -> None:
    _, found = study(tmp_path, {"moco_v1": None, "simclr": 0.7, "moco_v2": 0.9, "moco_v2_ft": 0.8})
    assert [row.label for row in found.rows] == ["moco_v2", "moco_v2_ft", "simclr", "moco_v1"]


def test_cost_stands_beside_every_trained_row_and_only_complete_ones_are_placed(tmp_path: Path) -> None:
    results, found = study(tmp_path, {"moco_v1": None, "simclr": 0.7, "moco_v2": 0.9})
    cost = costs(results, found)
    table = results_table(found, {}, "results", "caption", cost)
    assert table.header[-2:] == ("time", "images/s")
    told = {row[0].text: row[-2].text for row in table.rows}
    assert all((told[row.title] == "–") == (row not in cost) for row in found.rows)
    placed = points(found, found.columns[0], cost)
    assert {point.row.label for point in placed} == {"simclr", "moco_v2"}
    assert [point.seconds for point in placed] == sorted(point.seconds for point in placed)
    assert max(placed, key=lambda point: point.value).is_front
