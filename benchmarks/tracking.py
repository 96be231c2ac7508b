"""How long MLflow takes to be filled from records: a study of N finished encoders, each evaluated by two protocols.

    python benchmarks/tracking.py --encoders 2500 --json benchmarks/results/tracking.json

The folders are made by this script: records of plausible size with a history of 20 readings. Seeds go in rows of five.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from pipelines.files import write_json
from pipelines.history import History
from pipelines.records import now, write_record
from pipelines.tracking.follow import Follower
from pipelines.tracking.replay import sync_studies
from pipelines.tracking.settings import Tracking
from pipelines.tracking.tree import Trees

SEEDS = 5
DATASET = {"use": "digits", "limit": None}
OPTIONS = {f"option_{i}": i for i in range(40)}
EVALUATIONS = ({"use": "knn", "k": 20}, {"use": "linear", "epochs": 30})


def make_study(results: Path, encoders: int) -> int:
    """The plan, folders and records; how many records there are."""
    jobs = [job for number in range(encoders) for job in _encoder(number)]
    plan = {"study": "bench", "question": "How long?", "jobs": [_shards(), *jobs]}
    write_json(results / "bench" / "plan.json", plan)
    for job in plan["jobs"]:
        _finish(results, job)
    return len(plan["jobs"])


def _shards() -> dict:
    return {"stage": "shards", "key": "digits-1", "label": "digits", "inputs": {}, "spec": {"dataset": DATASET}}


def _encoder(number: int) -> list[dict]:
    row, seed = divmod(number, SEEDS)
    key, label = f"moco-{row}-s{seed}", f"moco_v2[option={row}]"
    spec = {"method": {"use": "moco", **OPTIONS}, "dataset": DATASET, "seed": seed}
    found = [{"stage": "pretrain", "key": key, "label": label, "inputs": {"shards": "digits-1"}, "spec": spec}]
    for evaluation in EVALUATIONS:
        spec = {"evaluation": evaluation, "source": {"use": "pretrain"}, "dataset": DATASET, "seed": seed}
        inputs = {"weights": key, "shards": "digits-1"}
        name = f"{key}-{evaluation['use']}"
        found.append({"stage": "evaluate", "key": name, "label": label, "inputs": inputs, "spec": spec})
    return found


def _finish(results: Path, job: dict) -> None:
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


def timed(work) -> float:
    """Seconds of this process's CPU time, which a busy machine leaves as they are; waits for the disk are not in it."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", type=int, default=2500)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        records = make_study(results, given.encoders)
        settings, trees = Tracking(), Trees(results)
        first = timed(lambda: sync_studies(trees.read(), settings, results))
        again = timed(lambda: sync_studies(trees.read(), settings, results))
        follower = Follower(results, settings)
        follower.sync()
        look = timed(follower.sync)
    measured = {
        "encoders": given.encoders,
        "records": records,
        "first_sync_s": first,
        "no_op_sync_s": again,
        "look_s": look,
    }
    print(measured)
    if given.json:
        given.json.write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
