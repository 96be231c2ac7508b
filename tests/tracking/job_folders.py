"""Job folders for the tracking tests, and what MLflow holds of them."""

from pathlib import Path
from typing import Any

from pipelines.files import write_json
from pipelines.history import History
from pipelines.records import now, write_record

SPEC = {
    "method": {"use": "moco", "temperature": 0.2, "feature_transform": None},
    "dataset": {"use": "digits", "limit": None},
    "views": {"augmentations": [{"scale": [0.2, 1.0]}, {"scale": [0.1, 1.0]}]},
    "seed": 0,
}


def folder(results: Path, key: str = "moco-digits-s0-0123abcd", stage: str = "pretrain") -> Path:
    """A job with a spec and nothing else."""
    path = results / "jobs" / stage / key
    write_json(path / "spec.json", {"stage": stage, "key": key, "inputs": {"shards": "digits-1"}, "spec": SPEC})
    return path


def log(path: Path, *steps: int, keep_steps_below: int | None = None) -> None:
    """Lines of two metrics each."""
    with History.open(path / "history.jsonl", keep_steps_below) as history:
        for step in steps:
            history.log(step, {"train/loss": 1 / (step + 1), "val/knn": step / 7})


def finish(path: Path, **changes: Any) -> None:
    """The job's record."""
    values: dict[str, Any] = {
        "key": path.name,
        "stage": path.parent.name,
        "spec": SPEC,
        "inputs": {"shards": "digits-1"},
        "metrics": {"test/knn_top1": 0.9},
        "derived": {"lr": 0.03},
        "seconds": 1.0,
        "started": now(),
    }
    write_record(path, **(values | changes))


def held(client: Any, run: Any, name: str) -> list[tuple[int, float]]:
    """(step, value) of every point MLflow holds, in order of step."""
    return sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, name))
