"""Tuning with Optuna: slot i of N owns trial i, so exactly N trials finish however often their jobs are killed.

The study is a journal file that all slots append to. A slot that starts again resumes its own running trial; the work of
a trial resumes from its own checkpoint. Every slot samples with a seed of its own. A trial whose loss stops being a
number has the value 0 and is no candidate for best; whatever else goes wrong leaves the trial running.
"""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from pipelines.errors import BadResult, DamagedFile
from pipelines.journal import JournalLock
from pipelines.randomness import seed_for
from pipelines.spec.tuning import Range, Space

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
DIVERGED = "diverged"
"""Attribute of a trial without a result: the reason."""
Values = dict[str, float]
"""Option path -> value."""
Objective = Callable[[int, Values, Callable[[int, float], None]], float]
"""(slot, values, report) -> value to maximise; ``report(epoch, value)`` raises Pruned when the trial may stop."""
Pruned = optuna.TrialPruned


@dataclass(frozen=True)
class OptunaStudy:
    """One tuning study: what to search (option path -> range as in the spec), how many trials, with which sampler."""

    name: str
    journal: Path
    space: Space
    trials: int
    sampler: str
    seed: int
    prune_below: float


@contextlib.contextmanager
def opened(search: OptunaStudy) -> Iterator[None]:
    """The journal's folder is there, and the journal ends in a whole line."""
    lock = JournalLock(search.journal)
    lock.acquire()
    lock.release()
    yield


def run_slot(search: OptunaStudy, slot: int, objective: Objective) -> None:
    """Bring slot ``slot`` to its end: nothing when it is finished, its running trial resumed, or a new one."""
    study = _study(search, slot)
    mine = _trials_of(study, slot)
    if any(trial.state in FINISHED for trial in mine):
        return
    running = [trial for trial in mine if trial.state == TrialState.RUNNING]
    if running:
        trial = Trial(study, running[-1]._trial_id)  # private API, the only way to go on with a trial
    else:
        trial = study.ask()
        trial.set_user_attr("slot", slot)
    values = {path: _suggest(trial, path, limits) for path, limits in search.space.items()}

    def report(epoch: int, value: float) -> None:
        trial.report(value, epoch)
        if search.prune_below and trial.should_prune():
            raise Pruned(f"slot {slot}: among the lowest {search.prune_below:.0%} at epoch {epoch}")

    try:
        value = objective(slot, values, report)
    except Pruned:
        study.tell(trial, state=TrialState.PRUNED)
    except BadResult as error:
        print(error, file=sys.stderr)
        trial.set_user_attr(DIVERGED, str(error))
        study.tell(trial, 0.0)
    else:
        study.tell(trial, value)


def close(search: OptunaStudy) -> list[dict[str, Any]]:
    """Every slot's finished trial as plain values, by slot; orphans that no slot owns are marked as failed.

    DamagedFile when a slot has no finished trial (a deleted or foreign journal); BadResult when none has a value.
    """
    study = _study(search, search.trials)
    for trial in study.get_trials(deepcopy=False):
        if trial.state == TrialState.RUNNING and "slot" not in trial.user_attrs:
            study.tell(trial.number, state=TrialState.FAIL)  # its job was killed between asking and signing
    rows = []
    for slot in range(search.trials):
        done = [trial for trial in _trials_of(study, slot) if trial.state in FINISHED]
        if len(done) != 1:
            raise DamagedFile(
                f"{search.journal}: slot {slot} has {len(done)} finished trials, there must be 1 for each of the "
                f"{search.trials}; delete the folder {search.journal.parent} and tune again"
            )
        rows.append(_row(done[0], slot, search))
    if not any(row["state"] == TrialState.COMPLETE.name for row in rows):
        reasons = [row[DIVERGED] for row in rows if row[DIVERGED]]
        raise BadResult(
            f"{search.journal.parent}: none of the {len(rows)} trials has a value, so there is no best "
            f"({len(reasons)} diverged{f', the first: {reasons[0]}' if reasons else ''}; "
            f"{len(rows) - len(reasons)} were pruned); narrow the space or lower the learning rate"
        )
    return rows


def _study(search: OptunaStudy, slot: int) -> optuna.Study:
    journal = search.journal.absolute()
    pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
    if search.prune_below:
        pruner = optuna.pruners.PercentilePruner(100 * (1 - search.prune_below))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            return optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(journal), JournalLock(journal))),
                study_name=search.name,
                direction="maximize",
                load_if_exists=True,
                sampler=_sampler(search, seed_for(search.seed, "sampler", slot) % 2**32),
                pruner=pruner,
            )
        except ValueError as error:
            raise DamagedFile(
                f"{journal}: not a journal of trials ({error}); delete the folder {journal.parent} and tune again"
            ) from None


def _sampler(search: OptunaStudy, seed: int) -> optuna.samplers.BaseSampler:
    first = max(2, search.trials // 4)
    match search.sampler:
        case "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=first)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
        case _:
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=first)


def _suggest(trial: Trial, path: str, limits: Range) -> float:
    """A value in the range; a resumed trial gets its stored one."""
    low, high = limits.low, limits.high
    if limits.complement:
        return 1 - trial.suggest_float(f"1-{path}", 1 - high, 1 - low, log=True)
    return trial.suggest_float(path, low, high, log=limits.log)


def _row(trial: FrozenTrial, slot: int, search: OptunaStudy) -> dict[str, Any]:
    values = {
        path: 1 - trial.params[f"1-{path}"] if limits.complement else trial.params[path]
        for path, limits in search.space.items()
    }
    diverged = trial.user_attrs.get(DIVERGED)
    return {
        "number": trial.number,
        "slot": slot,
        "params": values,
        "value": trial.value,
        "state": "DIVERGED" if diverged else trial.state.name,
        DIVERGED: diverged,
        "seconds": max(0.0, trial.duration.total_seconds()) if trial.duration else None,  # a clock may be set back
    }


def _trials_of(study: optuna.Study, slot: int) -> list[FrozenTrial]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get("slot") == slot]
