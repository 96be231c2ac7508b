"""Job folders of a small study for the tracking tests, and what MLflow holds of them."""

from pathlib import Path
from typing import Any

from mlflow.entities import Run
from name_tools import name_of

from pipelines.files import read_json, write_json
from pipelines.history import History
from pipelines.records import now, write_record
from pipelines.tracking.replay import ReplayOutcome, sync_studies
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.store import Experiment, Store, connect
from pipelines.tracking.tree import Trees

STUDY, QUESTION = "tested", "Does it hold?"
KEY = "moco-digits-s0-0123abcd"
DATASET = {"use": "digits", "limit": None}
SPEC = {
    "method": {"use": "moco", "temperature": 0.2, "feature_transform": None},
    "dataset": DATASET,
    "views": {"augmentations": [{"scale": [0.2, 1.0]}, {"scale": [0.1, 1.0]}]},
    "seed": 0,
}
KNN = {"use": "knn", "k": 20}


def folder(results: Path, key: str = KEY, label: str = "moco", **spec: Any) -> Path:
    """A planned pretraining with a spec and nothing else."""
    return planned(results, "pretrain", key, label, {"shards": "digits-1"}, {**SPEC, **spec})


def evaluated(results: Path, weights: str = KEY, label: str = "moco", **spec: Any) -> Path:
    """A planned evaluation of weights, kNN where nothing else is said."""
    given = {"evaluation": KNN, "source": {"use": "pretrain"}, "dataset": DATASET, "seed": 0, **spec}
    key = "-".join(
        [weights or label.replace(" ", "_"), given["evaluation"]["use"], given["dataset"]["use"], str(given["seed"])]
    )
    inputs = {"shards": f"{given['dataset']['use']}-1"} | ({"weights": weights} if weights else {})
    return planned(results, "evaluate", key, label, inputs, given)


def planned(
    results: Path, stage: str, key: str, label: str, inputs: dict[str, str], spec: dict[str, Any], study: str = STUDY
) -> Path:
    """A job in the study's plan, and its folder."""
    file = results / study / "plan.json"
    plan = read_json(file) if file.exists() else {"study": study, "question": QUESTION, "jobs": []}
    job = {"stage": stage, "key": key, "inputs": inputs, "spec": spec}
    if not any(other["key"] == key and other["stage"] == stage for other in plan["jobs"]):
        plan["jobs"].append(job | name_of(label).model_dump() | {"role": "tuning" if stage == "tune" else "row"})
        write_json(file, plan)
    path = results / "jobs" / stage / key
    write_json(path / "spec.json", job)
    return path


def judged_by(results: Path, evaluation: dict[str, Any], number: str = "top1") -> None:
    """The plan names the number that judges the study."""
    file = results / STUDY / "plan.json"
    write_json(file, read_json(file) | {"main": {"evaluation": evaluation, "number": number}})


def log(path: Path, *steps: int, keep_steps_below: int | None = None) -> None:
    """Lines of two metrics each."""
    with History.open(path / "history.jsonl", keep_steps_below) as history:
        for step in steps:
            history.log(step, {"train/loss": 1 / (step + 1), "val/knn": step / 7})


def finish(path: Path, **changes: Any) -> None:
    """The job's record."""
    job = read_json(path / "spec.json")
    values: dict[str, Any] = {
        **{name: job[name] for name in ("key", "stage", "spec", "inputs")},
        "metrics": {"test/top1": 0.9},
        "derived": {"lr": 0.03},
        "seconds": 1.0,
        "started": now(),
    }
    write_record(path, **(values | changes))


def sync(results: Path, settings: TrackingSettings | None = None, store: Store | None = None) -> ReplayOutcome:
    """All studies into MLflow."""
    return sync_studies(Trees(results).read(), settings or TrackingSettings(), results, store)


def opened(results: Path, settings: TrackingSettings | None = None) -> Experiment:
    """The study's experiment."""
    return connect(settings or TrackingSettings(), results).experiment(STUDY, QUESTION)


def level(experiment: Experiment, name: str) -> dict[str, Run]:
    """run_key -> the one run of each encoder (seed), or of each row."""
    found = {key: runs for key, runs in experiment.runs().items() if runs[0].data.tags["level"] == name}
    assert {len(runs) for runs in found.values()} <= {1}
    return {key: runs[0] for key, runs in found.items()}


def held(experiment: Experiment, run: Run, name: str) -> list[tuple[int, float]]:
    """(step, value) of every point MLflow holds, in order of step."""
    return sorted(
        (point.step, point.value) for point in experiment.store.client.get_metric_history(run.info.run_id, name)
    )
