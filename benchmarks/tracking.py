"""How long MLflow takes to be filled from records: a study of 10,000 jobs, then a sync and a look with nothing to do.

    python benchmarks/tracking.py --json benchmarks/results/tracking.json

The folders are made by this script: records of plausible size, each encoder with a history of 20 readings and two protocols;
seeds go in rows of five. MLflow is a SQLite file. Seconds are of this process's CPU time, which a busy machine leaves as they
are; waits for the disk are not in them.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from pipelines.files import write_json
from pipelines.history import History
from pipelines.records import now, write_record
from pipelines.spec.row_name import of_method
from pipelines.tracking.follow import Follower
from pipelines.tracking.replay import ReplayOutcome, sync_studies
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.tree import Trees

ENCODERS, QUICK = 3333, 20
SEEDS = 5
DATASET = {"use": "digits", "limit": None}
OPTIONS = {f"option_{i}": i for i in range(40)}
EVALUATIONS = ({"use": "knn", "k": 20}, {"use": "linear", "epochs": 30})


def make_study(results: Path, encoders: int) -> int:
    """The plan, folders and records; how many records there are."""
    jobs = [job for number in range(encoders) for job in _encoder(number)]
    plan: dict[str, Any] = {"study": "bench", "question": "How long?", "jobs": [_shards(), *jobs]}
    write_json(results / "bench" / "plan.json", plan)
    for job in plan["jobs"]:
        _finish(results, job)
    return len(plan["jobs"])


def _shards() -> dict[str, Any]:
    return {"stage": "shards", "key": "digits-1", "label": "digits", "inputs": {}, "spec": {"dataset": DATASET}}


def _encoder(number: int) -> list[dict[str, Any]]:
    row, seed = divmod(number, SEEDS)
    key, name = f"moco-{row}-s{seed}", of_method("moco_v2", {"option": str(row)}).model_dump()
    spec = {"method": {"use": "moco", **OPTIONS}, "dataset": DATASET, "seed": seed}
    found = [{"stage": "pretrain", "key": key, **name, "inputs": {"shards": "digits-1"}, "spec": spec}]
    for evaluation in EVALUATIONS:
        judged = {"evaluation": evaluation, "source": {"use": "pretrain"}, "dataset": DATASET, "seed": seed}
        inputs = {"weights": key, "shards": "digits-1"}
        own = f"{key}-{evaluation['use']}"
        found.append({"stage": "evaluate", "key": own, **name, "inputs": inputs, "spec": judged})
    return found


def _finish(results: Path, job: dict[str, Any]) -> None:
    folder = results / "jobs" / job["stage"] / job["key"]
    folder.mkdir(parents=True)
    artifacts = {}
    if job["stage"] == "pretrain":
        (folder / "encoder.safetensors").write_bytes(b"weights")
        artifacts = {"encoder": "encoder.safetensors"}
        with History.open(folder / "history.jsonl") as history:
            for step in range(20):
                history.log(step, {"train/loss": 1 / (step + 1), "train/lr": 0.1})
    metrics = {"test/top1": 0.9, "test/top5": 0.99, "test/mean_per_class": 0.89}
    fields = {name: job[name] for name in ("key", "stage", "spec", "inputs")}
    write_record(folder, **fields, metrics=metrics, seconds=1.0, artifacts=artifacts, started=now())


def timed(work: Callable[[], object]) -> float:
    """Seconds of CPU time."""
    start = time.process_time()
    work()
    return time.process_time() - start


def all_sent(outcome: ReplayOutcome, runs: int) -> None:
    """AssertionError unless a sync sent so many runs and had no trouble."""
    assert (outcome.sent, outcome.problems) == (runs, []), outcome


def main() -> None:
    """Measure and report."""
    given = arguments_of(__doc__).parse_args()
    encoders = QUICK if given.quick else ENCODERS
    settings = {"encoders": encoders, "seeds a row": SEEDS, "protocols": len(EVALUATIONS)}
    report = Report("tracking", "filling MLflow from records", ["mlflow", "sqlalchemy"], settings, given.quick)
    with tempfile.TemporaryDirectory() as folder:
        results, where = Path(folder), TrackingSettings()
        records, trees = make_study(results, encoders), Trees(results)
        runs, clock = encoders + math.ceil(encoders / SEEDS), time.perf_counter()
        first = timed(lambda: all_sent(sync_studies(trees.read(), where, results), runs))
        waited = time.perf_counter() - clock
        again = timed(lambda: all_sent(sync_studies(trees.read(), where, results), 0))
        follower = Follower(results, where)
        follower.sync()
        look = timed(follower.sync)
    rows = [
        row(f"first sync of {records} records", round(first, 1), "CPU s", at_most=300.0),
        row("the same by the clock, on a machine that others use too", round(waited, 1), "s"),
        row("a sync with nothing to do", round(again, 1), "CPU s"),
        row("a look of the process that follows, nothing changed", round(look, 3), "CPU s"),
    ]
    report.finish(
        rows, {"first": first, "waited": waited, "again": again, "look": look, "records": records}, given.json
    )


if __name__ == "__main__":
    main()
