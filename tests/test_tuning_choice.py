"""Tuning that does not depend on who runs it: proposals, workers, what is repeated, and what is chosen."""

import itertools
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from pipelines import journal
from pipelines.errors import BadResult, DamagedFile, EnvironmentFault, InputError
from pipelines.lease import leased
from pipelines.seeds import seed_for
from pipelines.spec.parse import parse
from pipelines.spec.tuning import Choice, Range, Search, Space
from pipelines.statistics.expected_best import expected_best
from pipelines.tuning.choice import Finalist, chosen, finalists, noise
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.space import Values, params_of, values_of
from pipelines.tuning.study import close, opened, run_slot
from pipelines.tuning.work import work

ROOT = Path(journal.__file__).parents[1]
SPACE: Space = {
    "temperature": Range(low=0.05, high=0.5, log=True),
    "momentum": Range(low=0.9, high=0.999, complement=True),
    "layers": Range(low=1, high=4, whole=True),
    "norm": Choice(choices=("batch", "none")),
    "symmetric": Choice(choices=(True, False)),
}
DEFAULT: Values = {"temperature": 0.2, "momentum": 0.99, "layers": 2, "norm": "batch", "symmetric": False}


def search(folder: Path, **changes: Any) -> OptunaStudy:
    given = {
        "name": "study", "space": SPACE, "trials": 10, "sampler": "tpe", "seed": 0, "prune_below": 0.0, "batch": 3,
        "default": DEFAULT, **changes,
    }  # fmt: skip
    return OptunaStudy(journal=folder / "journal.log", **given)


def bowl(made: OptunaStudy) -> Callable[[int, Values, Callable[[int, float], None]], float]:
    """Highest at a temperature of 0.1 and three layers, with noise that the slot's seed decides."""

    def objective(slot: int, values: Values, report: Callable[[int, float], None]) -> float:
        report(0, float(values["temperature"]))
        distance = abs(math.log(float(values["temperature"]) / 0.1)) + abs(float(values["layers"]) - 3)
        return 0.9 - 0.1 * distance + 1e-3 * (seed_for(made.seed_slot(slot)) % 7)

    return objective


def told(made: OptunaStudy, workers: int) -> list[dict[str, Any]]:
    """The closed study after a run by workers that take turns in an uneven way; without what depends on the clock."""
    with opened(made):
        for worker in range(workers):
            work(made, worker, lambda lease: bowl(made), _after(worker + 1) if worker + 1 < workers else lambda: False)
        return [{key: row[key] for key in row if key not in ("seconds", "number")} for row in close(made)]


def _after(count: int) -> Callable[[], bool]:
    left = itertools.count()
    return lambda: next(left) >= count


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_trials_do_not_depend_on_how_many_workers_there_are(tmp_path: Path, sampler: str) -> None:
    found = []
    for workers in (1, 2, 4):
        (tmp_path / str(workers)).mkdir()
        found.append(told(search(tmp_path / str(workers), sampler=sampler), workers))
    assert found[0] == found[1] == found[2]
    assert len({str(row["params"]) for row in found[0][:10]}) == 10


WORKER = """
import sys, time
sys.path.insert(0, "tests")
from pathlib import Path
from test_tuning_choice import bowl, search
from pipelines.tuning.study import opened
from pipelines.tuning.work import work
made = search(Path(sys.argv[1]), trials=7)
slow = int(sys.argv[2]) + 1
def objective(slot, values, report):
    time.sleep(0.02 * slow * (slot % 3))
    return bowl(made)(slot, values, report)
with opened(made):
    work(made, int(sys.argv[2]), lambda lease: objective, lambda: False)
"""


def test_processes_of_different_speed_give_the_trials_of_one(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "three").mkdir()
    alone = told(search(tmp_path / "one", trials=7), 1)
    command = [sys.executable, "-c", WORKER, str(tmp_path / "three")]
    workers = [subprocess.Popen([*command, str(number)], cwd=ROOT) for number in range(3)]
    assert [worker.wait(120) for worker in workers] == [0, 0, 0]
    rows = close(search(tmp_path / "three", trials=7))
    assert [{key: row[key] for key in row if key not in ("seconds", "number")} for row in rows] == alone


def test_a_worker_says_whom_it_waits_for_and_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.tuning.work.LOOK", 0.01)
    made = search(tmp_path, trials=2, batch=2)
    who = rf"process {os.getpid()} on \S+"
    with (
        opened(made),
        leased(tmp_path, ".slot-1"),
        pytest.raises(EnvironmentFault, match=rf"have run slot 1 \({who}\) for more than 0\.1 seconds; end them"),
    ):
        work(made, 0, lambda lease: bowl(made), lambda: False, patience=0.1)
    told = capsys.readouterr().err
    assert re.fullmatch(rf"waiting for other workers, who run slot 1 \({who}\), at most 0\.1 seconds\n", told)


def test_slot_0_has_the_default_and_the_finalists_are_repeated_with_common_seeds(tmp_path: Path) -> None:
    made = search(tmp_path)
    rows = told(made, 1)
    assert rows[0]["params"] == DEFAULT
    repeats = rows[made.trials :]
    best = sorted(range(made.trials), key=lambda slot: -rows[slot]["value"])[: made.finalists]
    assert {row["repeats"] for row in repeats} == {*best, 0}
    assert all(row["params"] == rows[row["repeats"]]["params"] for row in repeats)
    assert {made.seed_slot(row["slot"]) for row in repeats} == {made.trials, made.trials + 1}


def test_a_default_outside_of_what_is_searched_is_run_as_it_is(tmp_path: Path) -> None:
    rows = told(search(tmp_path, default={**DEFAULT, "temperature": 0.7}), 2)
    assert rows[0]["params"]["temperature"] == 0.7
    study = optuna.load_study(
        study_name="study",
        storage=optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log"))
        ),
    )
    by_slot = {trial.user_attrs["slot"]: trial for trial in study.trials}
    assert by_slot[0].params == {}
    assert by_slot[1].params.keys() == {"temperature", "1-momentum", "layers", "norm", "symmetric"}


def test_a_slot_before_whose_batch_something_is_missing_is_refused(tmp_path: Path) -> None:
    made = search(tmp_path)
    run_slot(made, 0, bowl(made))
    with pytest.raises(DamagedFile, match="slot 1 has no finished trial"):
        run_slot(made, 3, bowl(made))


def test_a_trial_without_a_result_is_told_to_the_sampler_and_never_a_finalist(tmp_path: Path) -> None:
    made = search(tmp_path, floor=0.1)

    def mostly_bad(slot: int, values: Values, report: Callable[[int, float], None]) -> float:
        if slot % 2:
            raise BadResult("the features collapsed")
        return bowl(made)(slot, values, report)

    with opened(made):
        work(made, 0, lambda lease: mostly_bad, lambda: False)
    rows = close(made)
    assert {row["value"] for row in rows if row["slot"] % 2} == {0.1}
    assert all(row["repeats"] % 2 == 0 for row in rows[made.trials :])


def test_pruning_compares_with_earlier_batches_only(tmp_path: Path) -> None:
    """A trial that is the lowest of all at its epoch stops; in the first batches there are too few to compare with."""
    made, seen = search(tmp_path, trials=9, prune_below=0.5), []

    def falling(slot: int, values: Values, report: Callable[[int, float], None]) -> float:
        report(0, -float(slot))
        seen.append(slot)
        return 0.5

    with opened(made):
        work(made, 0, lambda lease: falling, lambda: False)
    rows = close(made)
    assert [row["state"] for row in rows[:9]] == ["COMPLETE"] * 6 + ["PRUNED"] * 3
    assert not {6, 7, 8} & set(seen)


def test_the_highest_mean_of_repeats_wins_and_ties_go_to_the_default() -> None:
    lucky, steady = Finalist(3, 0.99, (0.80, 0.82)), Finalist(5, 0.95, (0.85, 0.85))
    assert chosen([lucky, steady]) is steady
    default = Finalist(0, 0.7, (0.85, 0.85))
    assert chosen([steady, default, lucky]) is default
    assert chosen([Finalist(0, 0.8, ()), Finalist(2, 0.9, ())]).slot == 2
    assert chosen([Finalist(4, 0.9, (0.5,)), Finalist(2, 0.9, (0.5,))]).slot == 2


def test_finalists_are_the_best_and_the_default() -> None:
    made = OptunaStudy("s", Path("j"), SPACE, 6, "tpe", 0, 0.0, finalists=2, repeats=2)
    assert finalists(made, {0: 0.1, 1: 0.9, 2: 0.5, 3: 0.9, 4: 0.2}) == [0, 1, 3]
    assert finalists(made, {0: 0.9, 1: 0.9, 3: 0.9}) == [0, 1]
    assert finalists(made, {2: 0.5}) == [2]


def test_noise_is_the_pooled_deviation_of_the_repeats() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=4) for _ in range(3)]
    found = noise([Finalist(i, 0.0, tuple(group)) for i, group in enumerate(groups)])
    expected = np.sqrt(sum(((group - group.mean()) ** 2).sum() for group in groups) / 9)
    assert found == pytest.approx(expected)
    assert noise([Finalist(0, 0.5, (0.5,))]) is None


def test_values_and_parameters_are_two_ways_round() -> None:
    params = params_of(SPACE, DEFAULT)
    assert params is not None
    assert params["1-momentum"] == pytest.approx(0.01)
    assert values_of(SPACE, params) == pytest.approx(DEFAULT)
    for outside in ({"norm": "layer"}, {"layers": 2.5}, {"symmetric": 1}, {"temperature": 0.6}):
        assert params_of(SPACE, {**DEFAULT, **outside}) is None
    for end in (0.9, 0.999):
        assert params_of(SPACE, {**DEFAULT, "momentum": end}) is not None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 1.5, "high": 3, "whole": True}, r"^space\.x: whole needs whole ends"),
        ({"choices": [1]}, r"^space\.x\.choices: must have at least 2 values"),
        ({"choices": ["a", "a"]}, r"^space\.x: choices must differ"),
        ({"low": 2, "high": 1}, r"^space\.x: low must be below high"),
    ],
)
def test_what_cannot_be_searched_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(Search, {"trials": 3, "space": {"x": given}}, "")


def test_expected_best_is_the_mean_over_all_draws() -> None:
    values = np.random.default_rng(1).normal(size=6).round(1)
    expected = [np.mean([max(draw) for draw in itertools.combinations(values, n)]) for n in range(1, 7)]
    np.testing.assert_allclose(expected_best(values), expected)


def test_expected_best_is_what_resampling_trials_estimates() -> None:
    rng, draws = np.random.default_rng(2), 4000
    values = rng.normal(size=12)
    orders = np.stack([rng.permutation(values) for _ in range(draws)])
    best = np.maximum.accumulate(orders, axis=1)
    error = best.std(axis=0) / np.sqrt(draws)
    assert (np.abs(expected_best(values) - best.mean(axis=0)) <= 4 * error + 1e-12).all()
