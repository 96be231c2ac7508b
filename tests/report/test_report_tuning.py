"""Tuning studies in the report."""

from pathlib import Path

import pytest
from name_tools import name_of
from report_tools import METHODS, FakeStudy

from pipelines.colours import styles
from pipelines.errors import InputError
from pipelines.files import write_json
from pipelines.report.parallel_chart import parallel_chart
from pipelines.report.study import load_results
from pipelines.report.tuning import SearchResult, Trial, importance, searches, tuning_table
from pipelines.report.tuning_charts import expected_best_chart
from pipelines.spec.tuning import Range

BOTH = {
    "momentum": Range(low=0.9, high=0.9999, complement=True),
    "temperature": Range(low=0.05, high=0.5, log=True),
}


def search(trials: list[Trial]) -> SearchResult:
    return SearchResult("key", name_of("moco_v2"), "digits", tuple(trials), BOTH)


def grid(objective: str) -> list[Trial]:
    """36 trials on a grid in the searched coordinates; only ``objective`` changes the value."""
    found = []
    for i in range(6):
        for j in range(6):
            params = {"momentum": 1 - 10 ** -(1 + 0.6 * i), "temperature": 0.05 * 10 ** (0.2 * j)}
            value = i if objective == "momentum" else j
            found.append(Trial(len(found), params, value / 10))
    return found


@pytest.mark.parametrize("name", ["momentum", "temperature"])
def test_the_parameter_that_decides_is_the_important_one(name: str) -> None:
    shares = importance(search(grid(name)))
    assert shares[name] > 0.9
    assert sum(shares.values()) == pytest.approx(1.0)


def test_too_few_trials_have_no_importance() -> None:
    assert importance(search(grid("momentum")[:7])) == {}


def test_best_so_far_rises_and_equal_trials_go_to_the_earlier() -> None:
    values = [0.3, 0.5, None, 0.4, 0.5, 0.6, 0.6]
    found = search([Trial(number, {"momentum": 0.9}, value) for number, value in enumerate(values)])
    assert found.so_far() == [(0, 0.3), (1, 0.5), (3, 0.5), (4, 0.5), (5, 0.6), (6, 0.6)]
    assert found.best is not None
    assert found.best.number == 5


def test_failed_and_pruned_trials_are_counted_but_not_complete(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    key = fake.job("tune", "t-1", "moco_v2", {"method": METHODS["moco_v2"]}, seconds=3.0)
    params = {"momentum": 0.99, "temperature": 0.2}
    states = (("COMPLETE", 0.5), ("PRUNED", 0.9), ("FAIL", None), ("complete", 0.7))
    trials = [
        {"number": i, "params": params, "state": state, "value": value} for i, (state, value) in enumerate(states)
    ]
    write_json(fake.folder("tune", key) / "trials.json", trials)
    (found,) = searches(load_results(fake.save(), tmp_path))
    assert found.label == "moco_v2"
    assert found.best is not None
    assert found.best.value == 0.7
    (row,) = tuning_table([found], "caption").rows
    assert [entry.text for entry in row][3:] == ["too few trials", "2 of 4", "–", "70.00", "–"]


def test_a_trial_without_its_state_is_refused_by_file(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.job("tune", "t-1", "x", {}, seconds=3.0)
    write_json(fake.folder("tune", "t-1") / "trials.json", [{"number": 0, "params": {}, "value": 1.0}])
    with pytest.raises(InputError, match=r"trials\.json: a trial lacks state"):
        searches(load_results(fake.save(), tmp_path))


def test_the_table_sets_the_chosen_beside_the_default_by_their_repeats(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.job("tune", "t-1", "moco_v2", {"method": METHODS["moco_v2"]}, seconds=3.0)
    params = {"momentum": 0.99, "temperature": 0.2}
    rows = [(0, None, 0.5), (1, None, 0.9), (2, None, 0.8), (3, 1, 0.6), (4, 1, 0.8), (5, 0, 0.5), (6, 0, 0.5)]
    entries = [
        {"number": 9 - slot, "slot": slot, "repeats": of, "params": params, "state": "COMPLETE", "value": value}
        for slot, of, value in rows
    ]
    write_json(fake.folder("tune", "t-1") / "trials.json", entries)
    (found,) = searches(load_results(fake.save(), tmp_path))
    assert [trial.number for trial in found.trials] == [0, 1, 2]
    (row,) = tuning_table([found], "caption").rows
    assert [entry.text for entry in row][4:] == ["3 of 3", "50.00", "70.00", "10.00"]


def test_trials_that_fail_cost_their_budget(tmp_path: Path) -> None:
    fake = FakeStudy(tmp_path)
    fake.job("tune", "t-1", "moco_v2", {"method": METHODS["moco_v2"]}, seconds=3.0)
    states = (("COMPLETE", 0.8), ("DIVERGED", 0.1), ("PRUNED", 0.95), ("COMPLETE", 0.5))
    write_json(
        fake.folder("tune", "t-1") / "trials.json",
        [{"number": i, "params": {}, "state": state, "value": value} for i, (state, value) in enumerate(states)],
    )
    (found,) = searches(load_results(fake.save(), tmp_path))
    assert found.worth == [0.8, 0.1, 0.5, 0.5]  # the reading at which one was stopped is no result
    rows = next(iter(expected_best_chart([found], styles({"moco_v2": "moco_v2"}))["datasets"].values()))
    assert [row["trial"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["value"] == pytest.approx(100 * (0.8 + 0.1 + 0.5 + 0.5) / 4)
    assert rows[-1]["value"] == pytest.approx(80.0)


def test_a_search_without_a_result_is_worth_nothing() -> None:
    assert search([Trial(0, {}, None, 0.1)]).worth == []


def test_parallel_coordinates_place_values_on_the_scale_of_the_search() -> None:
    trials = [
        Trial(0, {"momentum": 0.9, "temperature": 0.1}, 0.5),
        Trial(1, {"momentum": 0.99, "temperature": 0.2}, 0.7),
        Trial(2, {"momentum": 0.999, "temperature": 0.4}, 0.6),
        Trial(3, {"momentum": 0.9, "temperature": 0.1}, None),
    ]
    chart = parallel_chart(search(trials))
    assert chart is not None
    (rows,) = chart["datasets"].values()
    places = {(row["trial"], row["option"]): row["place"] for row in rows}
    assert [places[n, "momentum"] for n in range(3)] == pytest.approx([0, 0.5, 1], abs=1e-3)  # 1 - m: a tenth each
    assert [places[n, "temperature"] for n in range(3)] == pytest.approx([0, 0.5, 1], abs=1e-3)  # twice each
    assert [places[n, "objective"] for n in range(3)] == pytest.approx([0, 1, 0.5], abs=1e-3)
    assert len(places) == 9
    assert [row["trial"] for row in rows][-1] == 1  # the best lies above the others
