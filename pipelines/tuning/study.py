"""A tuning study in Optuna: slot i owns one trial, however often its job is killed.

All workers share a storage: a journal that they append to, or a database. A slot that starts again resumes its own running
trial; the work of a trial resumes from its own checkpoint. A trial whose loss stops being a number, or whose features
collapse, has the floor as its value and is no candidate for best; whatever else goes wrong leaves the trial running.
"""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import optuna
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from pipelines.errors import BadResult, DamagedFile
from pipelines.journal import JournalLock
from pipelines.tuning.choice import finalists
from pipelines.tuning.proposals import proposals
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.space import Values, distributions, params_of
from pipelines.tuning.stopping import compares, may_stop
from pipelines.tuning.storage import START, patient, storage, study_name

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
DIVERGED = "diverged"
"""Attribute of a trial without a result: the reason."""
Objective = Callable[[int, Values, Callable[[int, float], None]], float]
"""(slot, values, report) -> value to maximise; ``report(epoch, value)`` raises Pruned when the trial may stop."""
Pruned = optuna.TrialPruned


@contextlib.contextmanager
def opened(search: OptunaStudy) -> Iterator[None]:
    """The journal's folder is there, and the journal ends in a whole line; or the database answers."""
    if search.database is None:
        lock = JournalLock(search.journal)
        lock.acquire()
        lock.release()
    else:
        patient(_study, wait=START)(search)
    yield


@patient
def slots(search: OptunaStudy, stage: int) -> list[int]:
    """The slots that can run at once: those of a batch of the search, and after the last batch those that repeat.

    DamagedFile when an earlier batch has a slot without a finished trial.
    """
    if stage < search.batches:
        return list(search.batch_slots(stage))
    count = len(finalists(search, _values(search, _finished(search)))) * search.repeats
    return list(range(search.trials, search.trials + count))


@patient
def is_finished(search: OptunaStudy, slot: int) -> bool:
    """Whether the slot's trial has come to its end."""
    return slot in _finished(search)


def run_slot(search: OptunaStudy, slot: int, objective: Objective, stop: Callable[[], bool] = lambda: False) -> None:
    """Bring a slot to its end: nothing when it is finished, its running trial resumed, or a new one.

    ``stop``: whether the process was asked to end; then a database that does not answer is not waited for.
    DamagedFile when a slot that it builds on is not finished.
    """
    trial = patient(_of_slot)(search, slot)
    if trial is None:
        return
    values = dict(trial.user_attrs["values"])

    def report(epoch: int, value: float) -> None:
        patient(trial.report, stop=stop)(value, epoch)
        if (
            slot < search.trials
            and compares(search, epoch)
            and may_stop(search, epoch, value, _known(search, slot, epoch))
        ):
            raise Pruned(f"slot {slot}: {value:.4f} after epoch {epoch} is too little to go on")

    try:
        value = objective(slot, values, report)
    except Pruned:
        _end(search, trial, state=TrialState.PRUNED)
    except BadResult as error:
        print(error, file=sys.stderr)
        patient(trial.set_user_attr)(DIVERGED, str(error))
        _end(search, trial, search.floor)
    else:
        _end(search, trial, value)


@patient
def close(search: OptunaStudy) -> list[dict[str, Any]]:
    """Every slot's finished trial as plain values, by slot; orphans that no slot owns are marked as failed.

    DamagedFile when a slot has no finished trial (a deleted or foreign journal); BadResult when none has a value.
    """
    study = _study(search)
    for trial in study.get_trials(deepcopy=False):
        if trial.state == TrialState.RUNNING and "slot" not in trial.user_attrs:
            study.tell(trial.number, state=TrialState.FAIL)  # its job was killed between asking and signing
    found = _finished(search)
    rows = [_row(_one(search, found, slot), slot) for slot in range(search.trials)]
    if not any(row["state"] == TrialState.COMPLETE.name for row in rows):
        reasons = [row[DIVERGED] for row in rows if row[DIVERGED]]
        raise BadResult(
            f"{search.journal.parent}: none of the {len(rows)} trials has a value, so there is no best "
            f"({len(reasons)} diverged{f', the first: {reasons[0]}' if reasons else ''}; "
            f"{len(rows) - len(reasons)} were pruned); narrow the space or lower the learning rate"
        )
    return rows + [_row(_one(search, found, slot), slot) for slot in slots(search, search.batches)]


def _of_slot(search: OptunaStudy, slot: int) -> Trial | None:
    """The slot's running trial, or a new one; None when it is finished."""
    study = _study(search)
    mine = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get("slot") == slot]
    if any(trial.state in FINISHED for trial in mine):
        return None
    running = [trial for trial in mine if trial.state == TrialState.RUNNING]
    if running:
        return Trial(study, running[-1]._trial_id)  # private API, the only way to go on with a trial
    return _begin(search, slot, *_asked(search, slot))


@patient
def _end(search: OptunaStudy, trial: Trial, value: float | None = None, state: TrialState | None = None) -> None:
    """Tell the trial's value, unless that has been told and only the answer was lost."""
    _study(search).tell(trial.number, value, state, skip_if_finished=True)


def _asked(search: OptunaStudy, slot: int) -> tuple[Values, int | None]:
    """The values of a slot that has not begun, and of which slot it is a repeat."""
    found = _finished(search)
    if slot < search.trials:
        batch = search.batch_of(slot)
        earlier = [_one(search, found, before) for before in range(batch * search.batch)]
        return proposals(search, batch, earlier)[slot - batch * search.batch], None
    repeated = finalists(search, _values(search, found))[(slot - search.trials) // search.repeats]
    return dict(found[repeated].user_attrs["values"]), repeated


def _begin(search: OptunaStudy, slot: int, values: Values, repeats: int | None) -> Trial:
    """A new trial with these values; where they lie outside of what is searched, without parameters."""
    params = params_of(search.space, values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = _study(search)
        if params is not None:
            study.sampler = PartialFixedSampler(params, RandomSampler())
    trial = study.ask(distributions(search.space) if params is not None else None)
    trial.set_user_attr("values", values)
    if repeats is not None:
        trial.set_user_attr("repeats", repeats)
    trial.set_user_attr("slot", slot)  # last: a trial that has a slot has all else
    return trial


@patient
def _known(search: OptunaStudy, slot: int, epoch: int) -> list[float]:
    """What the trials of batches before the slot's had after this epoch."""
    first = search.batch_of(slot) * search.batch
    found = _finished(search)
    others = [found[before].intermediate_values.get(epoch) for before in range(first) if before in found]
    return [other for other in others if other is not None]


def _values(search: OptunaStudy, found: Mapping[int, FrozenTrial]) -> dict[int, float]:
    """Slot -> value, of the search's trials that have a result."""
    trials = {slot: _one(search, found, slot) for slot in range(search.trials)}
    return {
        slot: float(trial.value)
        for slot, trial in trials.items()
        if trial.state == TrialState.COMPLETE and DIVERGED not in trial.user_attrs and trial.value is not None
    }


def _finished(search: OptunaStudy) -> dict[int, FrozenTrial]:
    """Slot -> its finished trial. DamagedFile when a slot has several."""
    found: dict[int, FrozenTrial] = {}
    for trial in _study(search).get_trials(deepcopy=False):
        slot = trial.user_attrs.get("slot")
        if slot is not None and trial.state in FINISHED:
            if slot in found:
                raise _damaged(search, slot, "several finished trials")
            found[slot] = trial
    return found


def _one(search: OptunaStudy, found: Mapping[int, FrozenTrial], slot: int) -> FrozenTrial:
    if slot not in found:
        raise _damaged(search, slot, "no finished trial")
    return found[slot]


def _damaged(search: OptunaStudy, slot: int, what: str) -> DamagedFile:
    where = search.journal if search.database is None else search.journal.parent
    return DamagedFile(
        f"{where}: slot {slot} has {what}, there must be one for each; "
        f"delete the folder {search.journal.parent} and tune again"
    )


def _study(search: OptunaStudy) -> optuna.Study:
    journal = search.journal.absolute()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=storage(journal, search.database),
        study_name=study_name(journal.parent, search.name, search.database),
        direction="maximize",
        load_if_exists=True,
        sampler=RandomSampler(),  # proposals are made elsewhere
    )


def _row(trial: FrozenTrial, slot: int) -> dict[str, Any]:
    diverged = trial.user_attrs.get(DIVERGED)
    return {
        "number": trial.number,
        "slot": slot,
        "repeats": trial.user_attrs.get("repeats"),
        "params": trial.user_attrs["values"],
        "value": trial.value,
        "state": "DIVERGED" if diverged else trial.state.name,
        DIVERGED: diverged,
        "seconds": max(0.0, trial.duration.total_seconds()) if trial.duration else None,  # a clock may be set back
    }
