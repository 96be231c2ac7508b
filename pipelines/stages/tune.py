"""Stage tune: search a method's options with Optuna; --worker W --of N shares the trials, --close writes best.json.

Without either, all trials one after another, then the closing. Trials are judged on the held-out slice of train.
"""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.building.devices import chosen_device, device_told, peak_memory
from pipelines.building.methods import Pretrained, packed
from pipelines.building.objective import judged
from pipelines.building.pretraining import trainer
from pipelines.building.trials import rows_of_trials
from pipelines.errors import BadResult, Problem
from pipelines.files import read_json, write_json
from pipelines.history import FILE as HISTORY
from pipelines.history import History
from pipelines.launching.work import saved, voice
from pipelines.lease import Lease, leased
from pipelines.machine import GPU_MEMORY, HOST_MEMORY
from pipelines.records import FILE, now, write_record
from pipelines.signals import Stop
from pipelines.spec.folder import JobFolder, open_job, ready
from pipelines.spec.jobs import TuneSpec
from pipelines.spec.layout import BEST, TRIALS
from pipelines.spec.made_by import code_of
from pipelines.spec.tuning import Judged, Objective, Value
from pipelines.telling import say, written
from pipelines.training.loop import Stopped
from pipelines.training.monitors import collapse_flags
from pipelines.tuning import study
from pipelines.tuning.choice import DEFAULT, Finalist, chosen, noise
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.space import Values
from pipelines.tuning.storage import address
from pipelines.tuning.work import work


def run(job: Path, worker: int | None = None, of: int = 1, close: bool = False) -> int:
    """Run trials, or close the study."""
    folder = ready(open_job(job, TuneSpec))
    if folder.done:
        print(f"{job}: done already")
        return 0
    if not close:
        status = _work(folder, worker or 0, of if worker is not None else 1)
        if status or worker is not None:
            return status
    with leased(folder.path):
        if not folder.done:
            _close(folder)
    return 0


def _search(job: JobFolder[TuneSpec]) -> OptunaStudy:
    search = job.spec.search
    classes = len(packed(job.inputs["shards"]).class_names)
    return OptunaStudy(
        name=job.key,
        journal=job.path / "journal.log",
        space=search.space,
        trials=search.trials,
        sampler=search.sampler,
        seed=search.seed,
        prune_below=search.prune_below,
        batch=search.batch,
        finalists=search.finalists,
        repeats=search.repeats,
        floor=_floor(search.objective, classes),
        default=job.spec.default(),
        database=address(),
        rungs=search.rungs.epochs(job.spec.training.epochs) if search.rungs else (),
        factor=search.rungs.factor if search.rungs else 3,
    )


def _floor(aim: Objective, classes: int) -> float:
    """What a trial without a result counts for: chance, of what is not measured against one label an image nothing."""
    by_labels = not isinstance(aim, Judged) or aim.by.targets == "labels"
    return 1 / max(1, classes) if by_labels else 0.0


def _work(job: JobFolder[TuneSpec], worker: int, of: int) -> int:
    """Slots until all are finished; 143 or 130 when a signal ended them early."""
    search = _search(job)
    say(job.path, f"worker {worker} of {of} starts on {device_told()}, {search.trials} trials for all workers")
    with Stop.listening() as stop, leased(job.path, f".lease-{worker}-of-{of}") as own, study.opened(search):
        try:
            ran = work(search, worker, lambda slot: _objective(job, search, stop, (own, slot)), stop)
        except Stopped as stopped:
            return saved(job.path, stopped, stop)
        if stop():
            say(job.path, "asked to end between two trials; the same command goes on with the next")
            return stop.status
    write_json(job.path / f"worker-{worker}.json", {"slots": ran, **peak_memory(chosen_device())})
    say(job.path, f"worker {worker} of {of} is done, its slots: {', '.join(map(str, ran)) or 'none'}")
    return 0


def _objective(
    job: JobFolder[TuneSpec], search: OptunaStudy, stop: Stop, leases: tuple[Lease, Lease]
) -> study.Objective:
    shards = packed(job.inputs["shards"])
    rows, aim = rows_of_trials(job.spec.search, shards), job.spec.search.objective

    def asked_to_end() -> bool:
        for lease in leases:
            lease.check()
        return stop()

    def objective(slot: int, values: Values, report: Callable[[int, float], None]) -> float:
        """What the search maximises; BadResult when the loss stops being a number, or the features collapse."""
        spec = job.spec.trial(search.seed_slot(slot), values)
        out = Path(TRIALS) / str(slot)
        trial = trainer(spec, shards, job.path / out, asked_to_end, rows, f"{job.key}/{out.as_posix()}")
        trial.watch = lambda epoch, found: report(epoch, found["eval/online_knn"])
        trial.say = voice(job.path, f"slot {slot}")
        trial.say(f"tries {_told(values) or 'the defaults'}")
        try:
            with stop.deferred():
                metrics = trial.fit().metrics
        except study.Pruned as pruned:
            say(job.path, str(pruned))
            raise
        if collapse_flags(metrics):
            raise BadResult(
                f"slot {slot}: the features collapsed (spread {metrics['final/collapse/spread']:.3f}, effective rank "
                f"{metrics['final/collapse/effective_rank']:.1f}), so it is not judged"
            )
        if isinstance(aim, Judged):
            if asked_to_end():
                raise Stopped(f"slot {slot}: trained, and not judged yet; the same command goes on from there")
            trained = Pretrained.of(trial.method, spec, shards, f"slot {slot}")
            value = judged(aim, trained, job.path / out / "objective")
            asked_to_end()
        else:
            value = metrics["final/eval/online_knn"]
        trial.say(f"is judged {value:.4f}")
        return value

    return objective


def _told(values: Values) -> str:
    """Options and values in a line."""
    return ", ".join(
        f"{path} {value:.4g}" if isinstance(value, float) else f"{path} {value}" for path, value in values.items()
    )


def _close(job: JobFolder[TuneSpec]) -> None:
    started, search, code = now(), _search(job), code_of(job.spec)
    with study.opened(search):
        trials = study.close(search)
    found = _finalists(trials, search)
    best, default = chosen(found), next((each for each in found if each.slot == DEFAULT), None)
    params = trials[best.slot]["params"]
    write_json(job.path / "trials.json", trials)
    write_json(
        job.path / BEST,
        {"params": params, "value": best.value, "slot": best.slot, "repeats": best.repeats},
    )
    with History.open(job.path / HISTORY, 0) as history:
        for step, value, top in _progress(trials[: search.trials]):
            history.log(step, {"tune/value": value, "tune/best": top})
    spread = noise(found)
    record = write_record(
        job.path,
        key=job.key,
        stage="tune",
        spec=job.spec.model_dump(mode="json"),
        inputs=job.input_keys,
        metrics={
            "tune/best": best.mean,
            "tune/trials": len(trials),
            **({"tune/default": default.mean} if default else {}),
            **({"tune/noise": spread} if spread is not None else {}),
        },
        derived={f"best/{path}": _plain(value) for path, value in params.items()} | _held(job.path),
        seconds=sum(trial["seconds"] or 0.0 for trial in trials),
        code=code,
        artifacts={
            "trials": "trials.json",
            "best": BEST,
            "history": HISTORY,
            **({"journal": search.journal.name} if search.database is None else {}),
        },
        started=started,
    )
    shutil.rmtree(job.path / TRIALS, ignore_errors=True)  # checkpoints of finished trials
    say(job.path, f"{len(trials)} trials, the best is slot {best.slot} with {best.mean:.4f}: {_told(params)}")
    say(job.path, written(record.seconds, record.artifacts.values(), FILE))


def _held(job: Path) -> dict[str, float]:
    """The most memory that a worker held; nothing of one whose mark does not say it."""
    found: dict[str, float] = {}
    for mark in job.glob("worker-*.json"):
        with contextlib.suppress(Problem):  # a mark that is cut harms no result
            told = read_json(mark)
            found |= {name: max(told[name], found.get(name, 0.0)) for name in (HOST_MEMORY, GPU_MEMORY) if name in told}
    return found


def _finalists(trials: list[dict[str, Any]], search: OptunaStudy) -> list[Finalist]:
    """The repeated trials; without repeats all that have a value."""
    repeats: dict[int, list[float]] = {}
    for trial in trials[search.trials :]:
        repeats.setdefault(trial["repeats"], []).append(trial["value"])
    complete = [trial for trial in trials[: search.trials] if trial["state"] == "COMPLETE"]
    slots = repeats or {trial["slot"]: [] for trial in complete}
    return [Finalist(slot, trials[slot]["value"], tuple(values)) for slot, values in sorted(slots.items())]


def _plain(value: Value) -> float | str:
    return str(value) if isinstance(value, bool | str) else float(value)


def _progress(trials: list[dict[str, Any]]) -> list[tuple[int, float, float]]:
    """(slot, value, best so far) of the completed trials of the search."""
    rows, top = [], float("-inf")
    for trial in trials:
        if trial["state"] == "COMPLETE":
            top = max(top, trial["value"])
            rows.append((trial["slot"], trial["value"], top))
    return rows
