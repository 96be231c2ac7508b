"""Stage tune: search a method's options with Optuna; --worker W --of N takes every N-th slot, --close writes best.json.

Without either, all slots one after another, then the closing. Trials are judged on the held-out slice of train.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines import tuning
from pipelines.building.pretraining import trainer
from pipelines.files import write_json
from pipelines.history import History
from pipelines.lease import Lease, leased
from pipelines.records import now, write_record
from pipelines.signals import Stop
from pipelines.sources.reader import open_shards
from pipelines.spec.folder import JobFolder, open_job, ready
from pipelines.spec.jobs import TuneSpec
from pipelines.spec.made_by import code_of
from pipelines.training.loop import Stopped


def run(job: Path, worker: int | None = None, of: int = 1, close: bool = False) -> int:
    """Run slots, or close the study."""
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


def _search(job: JobFolder[TuneSpec]) -> tuning.OptunaStudy:
    search = job.spec.search
    return tuning.OptunaStudy(
        name=job.key,
        journal=job.path / "journal.log",
        space=search.space,
        trials=search.trials,
        sampler=search.sampler,
        seed=search.seed,
        prune_below=search.prune_below,
    )


def _work(job: JobFolder[TuneSpec], worker: int, of: int) -> int:
    """The slots worker, worker + of, ...; 143 or 130 when a signal ended them early."""
    search = _search(job)
    slots = list(range(worker, search.trials, of))
    with Stop.listening() as stop, leased(job.path, f".lease-{worker}-of-{of}") as lease, tuning.opened(search):
        for slot in slots:
            if stop():
                return stop.status
            try:
                tuning.run_slot(search, slot, _objective(job, stop, lease))
            except Stopped as stopped:
                print(stopped, file=sys.stderr)
                return stop.status
            print(f"slot {slot} of {search.trials}: done", flush=True)
    write_json(job.path / f"worker-{worker}.json", {"slots": slots})
    return 0


def _objective(job: JobFolder[TuneSpec], stop: Stop, lease: Lease) -> tuning.Objective:
    shards = open_shards(job.inputs["shards"])

    def asked_to_end() -> bool:
        lease.check()
        return stop()

    def objective(slot: int, values: dict[str, float], report: Callable[[int, float], None]) -> float:
        """Top-1 of online kNN after the last epoch; BadResult when the loss stops being a number."""
        trial = trainer(job.spec.trial(slot, values), shards, job.path / "trials" / str(slot), asked_to_end)
        trial.watch = lambda epoch, found: report(epoch, found["eval/online_knn"])
        with stop.deferred():
            return trial.fit().metrics["final/eval/online_knn"]

    return objective


def _close(job: JobFolder[TuneSpec]) -> None:
    started, search, code = now(), _search(job), code_of(job.spec)
    with tuning.opened(search):
        trials = tuning.close(search)
    best = max((trial for trial in trials if trial["state"] == "COMPLETE"), key=lambda trial: trial["value"])
    write_json(job.path / "trials.json", trials)
    write_json(job.path / "best.json", {"params": best["params"], "value": best["value"], "slot": best["slot"]})
    with History.open(job.path / "history.jsonl", 0) as history:
        for step, value, top in _progress(trials):
            history.log(step, {"tune/value": value, "tune/best": top})
    write_record(
        job.path,
        key=job.key,
        stage="tune",
        spec=job.spec.model_dump(mode="json"),
        inputs=job.input_keys,
        metrics={"tune/best": best["value"], "tune/trials": len(trials)},
        derived={f"best/{path}": value for path, value in best["params"].items()},
        seconds=sum(trial["seconds"] or 0.0 for trial in trials),
        code=code,
        artifacts={"trials": "trials.json", "best": "best.json", "journal": "journal.log"},
        started=started,
    )
    shutil.rmtree(job.path / "trials", ignore_errors=True)  # checkpoints of finished trials


def _progress(trials: list[dict[str, Any]]) -> list[tuple[int, float, float]]:
    """(number, value, best so far) of the completed trials in the order they were started."""
    rows, top = [], float("-inf")
    for trial in sorted(trials, key=lambda trial: trial["number"]):
        if trial["state"] == "COMPLETE":
            top = max(top, trial["value"])
            rows.append((trial["number"], trial["value"], top))
    return rows
