"""Accuracy against cost: which methods no other beats in both, and the order of the main table."""

import random
from itertools import permutations
from pathlib import Path

from report_tools import FakeStudy

from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.cost_chart import cost_chart
from pipelines.report.costs import costs, pareto, points
from pipelines.report.label_places import DOT, Box, is_far, label_places
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


def test_names_of_a_crowded_chart_meet_neither_each_other_nor_a_dot_and_stay_inside() -> None:
    draw = random.Random(0)
    dots = [(draw.uniform(20, 500), draw.uniform(20, 280)) for _ in range(24)]
    dots += [(250.0, 150.0), (251.0, 151.0), (255.0, 148.0), (500.0, 20.0)]
    names = [f"method_{number}" for number in range(len(dots))]
    found = label_places(dots, names, 520, 300)
    placed = [(number, box) for number, box in enumerate(found) if box]
    assert len(placed) >= len(dots) - 2
    for number, box in placed:
        assert box.lies_in(520, 300)
        assert not any(box.meets(other) for place, other in placed if place != number)
        assert not any(box.meets(Box(*dot, DOT, DOT)) for place, dot in enumerate(dots) if place != number)


def test_a_name_without_room_is_left_to_the_pointer_and_the_front_chooses_first() -> None:
    assert label_places([(5.0, 5.0)], ["a_very_long_name"], 20, 20) == [None]
    crowd = [(100.0, 100.0)] * 40
    found = label_places(crowd, ["some_method"] * 40, 200, 200)
    assert found[0]
    assert not is_far(crowd[0], found[0])
    assert None in found


def test_the_chart_names_every_method_once_and_leads_to_names_that_stand_off(tmp_path: Path) -> None:
    labels = ["moco_v1", "simclr", "moco_v2", "byol", "simsiam", "vicreg"]
    results, found = study(tmp_path, dict.fromkeys(labels, 0.7))
    placed = points(found, found.columns[0], costs(results, found))
    rows = list(cost_chart(placed, found.columns[0])["datasets"].values())
    assert {row["label"] for row in rows[0]} == {*labels}
    named = [row["label"] for row in rows[-1]]
    assert len(named) == len(set(named)) > 3
    led = [row["label"] for each in rows for row in each if "to_seconds" in row]
    assert {*led} < {*named}
    assert led
