"""Stage tune: search a method's options with Optuna; --worker W --of N takes every N-th slot, --close writes best.json.

Without either, all slots one after another, then the closing. Trials are judged on the held-out slice of train.
"""

import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.stages.job import JobFolder, open_job, parser

if TYPE_CHECKING:
    from pipelines.tuning import Search


def main(argv: list[str]) -> int:
    """Run slots, or close the study."""
    arguments = parser("tune", __doc__ or "")
    arguments.add_argument("--worker", type=int, default=None, help="run the slots of this worker only")
    arguments.add_argument("--of", type=int, default=1, help="number of workers (default: 1)")
    arguments.add_argument(
        "--close", action="store_true", help="all slots are done: write trials.json, best.json and the record"
    )
    options = arguments.parse_args(argv)
    job = open_job(options.job, "tune")
    if not options.close:
        status = _work(job, options.worker or 0, options.of if options.worker is not None else 1)
        if status or options.worker is not None:
            return status
    _close(job)
    return 0


def _search(job: JobFolder) -> "Search":
    from pipelines.tuning import Search

    tuning = job.spec["tuning"]
    return Search(
        name=job.key,
        journal=job.path / "journal.log",
        space=tuning["space"],
        trials=tuning["trials"],
        sampler=tuning["sampler"],
        seed=tuning["seed"],
        prune_below=tuning["prune_below"],
    )


def _work(job: JobFolder, worker: int, of: int) -> int:
    """The slots worker, worker + of, ...; 143 when SIGTERM ended them early."""
    from pipelines import tuning
    from pipelines.files import write_json
    from pipelines.training.loop import Stopped

    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    search = _search(job)
    slots = list(range(worker, search.trials, of))
    with tuning.opened(search):
        for slot in slots:
            try:
                tuning.run_slot(search, slot, _objective(job, lambda: bool(stopping)))
            except Stopped as stopped:
                print(stopped, file=sys.stderr)
                return 128 + signal.SIGTERM
            print(f"slot {slot} of {search.trials}: done", flush=True)
    write_json(job.path / f"worker-{worker}.json", {"slots": slots})
    return 0


def _objective(
    job: JobFolder, stop: Callable[[], bool]
) -> Callable[[int, dict[str, float], Callable[[int, float], None]], float]:
    from pipelines.errors import InputError
    from pipelines.sources.reader import open_shards
    from pipelines.stages.pretraining import trainer
    from pipelines.stages.tuned import with_values

    shards = open_shards(job.inputs["shards"])

    def objective(slot: int, values: dict[str, float], report: Callable[[int, float], None]) -> float:
        """Top-1 of online kNN after the last epoch; 0 for a trial whose loss stops being a number."""
        seed = 1000 * (job.spec["tuning"]["seed"] + 1) + slot  # no seed that a reported run uses
        spec = {**with_values(job.spec, values), "seed": seed}
        run = trainer(spec, shards, job.path / "trials" / str(slot), stop)
        run.watch = lambda epoch, found: report(epoch, found["eval/online_knn"])
        try:
            return run.fit().metrics["final/eval/online_knn"]
        except InputError as error:
            print(error, file=sys.stderr)
            return 0.0

    return objective


def _close(job: JobFolder) -> None:
    import shutil

    from pipelines import tuning
    from pipelines.files import write_json
    from pipelines.history import History
    from pipelines.records import now, write_record

    started, search = now(), _search(job)
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
        spec=job.spec,
        inputs=job.input_keys,
        metrics={"tune/best": best["value"], "tune/trials": len(trials)},
        derived={f"best/{path}": value for path, value in best["params"].items()},
        seconds=sum(trial["seconds"] or 0.0 for trial in trials),
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
