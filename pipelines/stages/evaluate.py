"""Stage evaluate: measure encoders by protocols. Those on frozen features of one encoder embed its images once.

Every protocol has a job and a record of its own: what is there stays, what fails leaves the others' results alone.
"""

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import torch

from pipelines.building.devices import chosen_device, device_name
from pipelines.building.embedding import Embedding, embedding_of
from pipelines.building.workbench import WEIGHTS, JobBench
from pipelines.errors import InputError
from pipelines.randomness import generator, seed_for
from pipelines.records import now, write_record
from pipelines.spec.evaluation.zero_shot import Options as ZeroShot
from pipelines.spec.folder import JobFolder, open_job, ready
from pipelines.spec.jobs import EvaluateSpec


def run(job: list[Path]) -> int:
    """Measure, and write a record each; 1 when one of them failed."""
    failed = 0
    embedding: Embedding | None = None
    for path in job:
        try:
            folder = open_job(path, EvaluateSpec)
            if folder.done:
                print(f"{path}: done already")
                continue
            if folder.spec.evaluation.on_images:
                _on_images(ready(folder))
            else:
                embedding = embedding_of(ready(folder), embedding)
                _on_features(folder, embedding)
        except InputError as error:
            print(f"error: {path}: {error}", file=sys.stderr)
            failed = 1
    return failed


def _on_features(job: JobFolder[EvaluateSpec], embedding: Embedding) -> None:
    started, clock, device, options = now(), time.perf_counter(), chosen_device(), job.spec.evaluation
    subject = embedding.with_texts(options.templates) if isinstance(options, ZeroShot) else embedding.features
    draw = generator(job.spec.seed, "evaluate", device=device)
    metrics: dict[str, float] = importlib.import_module(f"pipelines.evaluation.{options.use}").measure(
        options, subject, draw
    )
    chosen = [name for name in metrics if name in ("lr", "weight_decay") or name.startswith("chosen_")]
    derived: dict[str, Any] = {f"chosen/{name.removeprefix('chosen_')}": metrics.pop(name) for name in chosen}
    derived |= {"features/width": embedding.features.train.shape[1], "features/seconds": embedding.seconds}
    _record(job, metrics, derived, time.perf_counter() - clock, started, {})


def _on_images(job: JobFolder[EvaluateSpec]) -> None:
    started, clock, options = now(), time.perf_counter(), job.spec.evaluation
    protocol = importlib.import_module(f"pipelines.evaluation.{options.use}")
    with torch.random.fork_rng():  # torch's layers draw their weights from the global generator
        torch.manual_seed(seed_for(job.spec.seed, "classifier"))
        found = protocol.measure(options, JobBench.of(job))
    _record(job, found.metrics, found.derived, time.perf_counter() - clock, started, {"classifier": WEIGHTS})


def _record(
    job: JobFolder[EvaluateSpec],
    metrics: dict[str, float],
    derived: dict[str, Any],
    seconds: float,
    started: str,
    artifacts: dict[str, str],
) -> None:
    write_record(
        job.path,
        key=job.key,
        stage="evaluate",
        spec=job.spec.model_dump(mode="json"),
        inputs=job.input_keys,
        metrics={_with_split(name): value for name, value in metrics.items()},
        derived=derived,
        seconds=seconds,
        device=device_name(chosen_device()),
        artifacts=artifacts,
        started=started,
    )


def _with_split(name: str) -> str:
    """A protocol's metric name with the split in front: top1 -> test/top1, holdout_top1 -> holdout/top1."""
    for split in ("holdout", "train"):
        if name.startswith(f"{split}_"):
            return f"{split}/{name.removeprefix(f'{split}_')}"
    return f"test/{name}"
