"""Successive halving: which trials go on, against Optuna's own rule, whatever the workers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from test_tuning_choice import SPACE

from pipelines.errors import InputError
from pipelines.seeds import seed_for
from pipelines.spec.jobs import TuneSpec
from pipelines.spec.parse import parse
from pipelines.spec.plan import plan_file
from pipelines.spec.tuning import Rungs, Search
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.space import Values
from pipelines.tuning.stopping import goes_on
from pipelines.tuning.study import close, opened
from pipelines.tuning.work import work

EPOCHS = 9


def halved(folder: Path) -> OptunaStudy:
    return OptunaStudy(
        "study", folder / "journal.log", SPACE, 24, "random", 0, 0.0, batch=3,
        rungs=Rungs(first=1).epochs(EPOCHS), factor=3, default={"temperature": 0.2},
    )  # fmt: skip


def curve(made: OptunaStudy, ran: dict[int, int]) -> Callable[[int, Values, Callable[[int, float], None]], float]:
    """A curve that rises to a height which the slot decides; how many epochs each slot ran."""

    def objective(slot: int, values: Values, report: Callable[[int, float], None]) -> float:
        height = (seed_for(made.seed_slot(slot)) % 1000) / 1000
        for epoch in range(1, EPOCHS + 1):
            ran[slot] = epoch
            report(epoch, height * epoch / EPOCHS)
        return height

    return objective


@pytest.mark.parametrize(
    ("first", "factor", "total", "expected"), [(1, 3, 9, (1, 3)), (1, 3, 10, (1, 3, 9)), (2, 2, 12, (2, 4, 8)), (5, 2, 5, ())]
)  # fmt: skip
def test_rungs_stand_before_the_end(first: int, factor: int, total: int, expected: tuple[int, ...]) -> None:
    assert Rungs(first=first, factor=factor).epochs(total) == expected


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_one_trial_after_another_is_stopped_where_optunas_pruner_stops_it(factor: int) -> None:
    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=factor)
    )
    rungs, reached = Rungs(first=1, factor=factor).epochs(20), dict[int, list[float]]()
    rng, stopped = np.random.default_rng(factor), 0
    for _ in range(60):
        trial, values = study.ask(), rng.normal(size=20).round(1)
        for epoch, value in enumerate(values.tolist(), start=1):
            trial.report(value, epoch)
            others = reached.setdefault(epoch, [])
            ours = epoch in rungs and not goes_on(value, others, factor)
            others.append(value)
            assert trial.should_prune() == ours
            if ours:
                stopped += 1
                break
        study.tell(trial, state=optuna.trial.TrialState.PRUNED if ours else None, values=None if ours else 0.0)
    assert 20 < stopped < 60


def test_rungs_stop_most_trials_early_and_the_same_ones_whatever_the_workers(tmp_path: Path) -> None:
    found = []
    for workers in (1, 3):
        (tmp_path / str(workers)).mkdir()
        made, ran = halved(tmp_path / str(workers)), dict[int, int]()
        with opened(made):
            for worker in range(workers):
                left = iter(range(5))
                stop = (lambda left=left: next(left, None) is None) if worker + 1 < workers else (lambda: False)
                work(made, worker, lambda lease: curve(made, ran), stop)  # noqa: B023
        rows = close(made)
        assert {ran[row["slot"]] for row in rows if row["state"] == "PRUNED"} <= {1, 3}
        assert all(ran[row["slot"]] == EPOCHS for row in rows if row["state"] == "COMPLETE")
        found.append(([(row["slot"], row["state"], row["value"]) for row in rows], ran))
    assert found[0] == found[1]
    states = [state for _, state, _ in found[0][0][:24]]
    assert states[:3] == ["COMPLETE"] * 3  # nothing to compare the first batch with, the default among it
    assert states.count("PRUNED") > 12
    assert max(found[0][0][:24], key=lambda row: row[2] or 0.0)[1] == "COMPLETE"


TUNED = """
question: Which temperature?
dataset: {use: digits, limit: 40}
encoder: {use: resnet, depth: 10, width: 8}
methods: [{use: simclr}]
seeds: [0]
training: {epochs: 6, batch_size: 16}
evaluation: [{use: knn, k: 5}]
tuning: {trials: 2, methods: [simclr], space: {temperature: {low: 0.1, high: 0.5}}%s}
"""


def tuned(folder: Path, more: str = "") -> TuneSpec:
    (folder / "study.yaml").write_text(TUNED % more)
    (job,) = plan_file(folder / "study.yaml").of("tune")
    assert isinstance(job.spec, TuneSpec)
    return job.spec


def test_a_trial_is_read_at_every_rung(tmp_path: Path) -> None:
    assert tuned(tmp_path).trial(0, {}).training.online_knn_epochs is None
    assert tuned(tmp_path, ", rungs: {first: 2, factor: 2}").trial(0, {}).training.online_knn_epochs == 2
    assert tuned(tmp_path, ", prune_below: 0.25").trial(0, {}).training.online_knn_epochs == 1


def test_rungs_are_in_the_key_only_where_there_are_some(tmp_path: Path) -> None:
    assert "rungs" not in tuned(tmp_path).content()["search"]
    assert tuned(tmp_path, ", rungs: {first: 2}").content()["search"]["rungs"] == {"first": 2, "factor": 3}


def test_rungs_that_no_trial_reaches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"simclr: tuning\.rungs\.first is 6, and a trial ends after 6 epochs; compare"
    ):
        tuned(tmp_path, ", rungs: {first: 6}")
    with pytest.raises(InputError, match=r"rungs and prune_below are two ways"):
        parse(Search, {"trials": 2, "prune_below": 0.5, "rungs": {"first": 1}}, "")
