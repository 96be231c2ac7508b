"""Stage evaluate: measure encoders by protocols. Those on frozen features of one encoder embed its images once.

Every protocol has a job and a record of its own: what is there stays, what fails leaves the others' results alone. One that
trains on images does so in one process a GPU; on SIGTERM it saves a checkpoint and exits with 143, on SIGINT with 130, and the
same command goes on from there.
"""

import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from pipelines import distributed
from pipelines.building.devices import chosen_device, device_name, device_told, peak_memory
from pipelines.building.embedding import Embedding, embedding_of
from pipelines.building.measuring import measured, measured_on_features
from pipelines.building.methods import shards_folder
from pipelines.building.subject import Subject
from pipelines.building.view_features import diagnosed_views
from pipelines.building.workbench import WEIGHTS, save_classifier
from pipelines.errors import InputError, Problem
from pipelines.evaluation.answers import FILE as ANSWERS
from pipelines.evaluation.answers import save_answers
from pipelines.evaluation.detections import FILE as DETECTIONS
from pipelines.evaluation.detections import save_detections
from pipelines.evaluation.measured import Measured
from pipelines.evaluation.predictions import FILE, Predictions
from pipelines.launching.processes import leave_others, process_group
from pipelines.launching.torchrun import become_launcher, launched
from pipelines.launching.work import at_work, saved, voice
from pipelines.lease import handed_over
from pipelines.metric import of_split
from pipelines.records import FEATURE_SECONDS, now, write_record
from pipelines.records import FILE as RECORD
from pipelines.signals import Stop
from pipelines.sources.base import SPLITS
from pipelines.sources.reader import ShardSet
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.parts import OnImages
from pipelines.spec.folder import JobFolder, open_job, ready
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.made_by import code_of
from pipelines.spec.seen_before import PRETRAINED_ON, SeenBefore, seen_before
from pipelines.statistics.confusion import confusion, shares, worst
from pipelines.telling import written
from pipelines.training.checkpoint import forget
from pipelines.training.loop import Stopped

SHOWN_CONFUSIONS = 4


def run(job: list[Path], processes: int = 1, nodes: int = 1) -> int:
    """Measure, and write a record each; 1 when one of them failed. Several processes, one a GPU, train together on images."""
    if processes > 1 and not launched() and (left := [path for path in job if not (path / RECORD).exists()]):
        _check_shared(left)
        become_launcher("evaluate", left, processes, nodes)
    failed = 0
    embedding: Embedding | None = None
    with Stop.listening() as stop, handed_over(job) as leases, process_group():
        for path in job:
            try:
                folder = open_job(path, EvaluateSpec)
                with at_work(path, folder.done, leases):
                    if folder.done:
                        print(f"{path}: done already")
                        continue
                    folder = ready(folder)
                    _tell_leak(folder)
                    options = folder.spec.evaluation
                    voice(path)(f"{options.use} starts on {device_told()}")
                    if options.on_images or options.targets != "labels":
                        _by_itself(folder, stop)
                    else:
                        embedding = embedding_of(folder, embedding)
                        _on_features(folder, embedding)
            except Stopped as stopped:
                return saved(path, stopped, stop)
            except Problem as error:
                print(f"error: {path}: {error}", file=sys.stderr)
                leave_others(error)
                failed = 1
    return failed


def _check_shared(jobs: Sequence[Path]) -> None:
    """InputError where a job does nothing that several processes could share."""
    for path in jobs:
        options = open_job(path, EvaluateSpec).spec.evaluation
        if not isinstance(options, OnImages):
            raise InputError(
                f"{path}: {options.use} is measured by one process; leave --processes out (finetune, linear_augmented and "
                "distill train on images, and take several)"
            )


def _on_features(job: JobFolder[EvaluateSpec], embedding: Embedding) -> None:
    started, clock, options = now(), time.perf_counter(), job.spec.evaluation
    found = measured_on_features(options, embedding, job.spec.seed)
    sizes: dict[str, Any] = {
        "features/width": embedding.features.train.shape[1],
        FEATURE_SECONDS: embedding.seconds,
    }
    sizes |= {f"features/{name}": value for name, value in embedding.diagnosed.items()}
    if isinstance(options, Knn) and options.views:
        told = diagnosed_views(Subject.of(job), options.views, chosen_device())
        sizes |= {f"features/{name}": value for name, value in told.items()}
    kept = _save_predictions(job.path, embedding.shards, found) | _save_counts(job, embedding.shards, found)
    seconds = time.perf_counter() - clock
    if job.spec.pictures and found.predicted is not None:
        kept |= _save_looks(job.path, embedding, found.predicted)
    _record(job, found.metrics, {**found.derived, **sizes}, seconds, started, kept)


def _by_itself(job: JobFolder[EvaluateSpec], stop: Stop) -> None:
    """By a protocol that shares no features with others."""
    started, clock, subject = now(), time.perf_counter(), Subject.of(job)
    found = measured(subject, stop, voice(job.path))
    if distributed.rank() != 0:
        return
    kept = _save_predictions(job.path, subject.shards, found.measured)
    if found.classifier is not None:
        save_classifier(found.classifier, job.path / WEIGHTS)
        kept["classifier"] = WEIGHTS
    if found.detections is not None:
        save_detections(found.detections, subject.shards.ids("test"), job.path / DETECTIONS)
        kept["detections"] = DETECTIONS
    if found.measured.answers:  # of every test image, labelled or not
        save_answers(found.measured.answers, subject.shards.ids("test"), job.path / ANSWERS)
        kept["answers"] = ANSWERS
    derived, seconds = {**found.measured.derived, **found.derived}, time.perf_counter() - clock
    _record(job, found.measured.metrics, derived, seconds, started, kept)
    forget(job.path)  # the checkpoints of what it trained


def _leak(job: JobFolder[EvaluateSpec]) -> SeenBefore | None:
    """The test images that pretraining on another data set has seen; of the same data set its own shards tell."""
    weights, shards = job.inputs.get("weights"), job.inputs["shards"]
    if weights is None or (trained_on := shards_folder(weights)) == shards:
        return None
    found = seen_before(trained_on, shards)
    return found if found and found.count else None


def _tell_leak(job: JobFolder[EvaluateSpec]) -> None:
    if distributed.rank() == 0 and (leak := _leak(job)):
        print(
            f"warning: {job.path}: test images that pretraining has seen, so that every number on them may be too high: "
            f"{leak.words}; take them out of one of the two data sets",
            file=sys.stderr,
        )


def _record(
    job: JobFolder[EvaluateSpec],
    metrics: dict[str, float],
    derived: dict[str, Any],
    seconds: float,
    started: str,
    artifacts: dict[str, str],
) -> None:
    leak, device = _leak(job), chosen_device()
    record = write_record(
        job.path,
        key=job.key,
        stage="evaluate",
        spec=job.spec.model_dump(mode="json"),
        inputs=job.input_keys,
        metrics=metrics,
        derived=derived | peak_memory(device) | ({PRETRAINED_ON: leak.count} if leak else {}),
        flags=[PRETRAINED_ON] if leak else [],
        seconds=seconds,
        device=device_name(device),
        code=code_of(job.spec),
        artifacts=artifacts,
        started=started,
    )
    tell, found = voice(job.path), of_split("test", metrics)
    numbers = [f"{name} {found[name]:.4f}" for name in job.spec.evaluation.numbers if name in found]
    tell(f"{job.spec.evaluation.use} on test: {', '.join(numbers)}")
    tell(written(record.seconds, artifacts.values(), RECORD))


def _save_predictions(out: Path, shards: ShardSet, found: Measured) -> dict[str, str]:
    """Keep what was said of every labelled test image; the artifact, none for draws and episodes."""
    if found.predicted is None:
        return {}
    label = shards.table("test").label
    score = None if found.score is None else found.score.cpu().numpy()
    Predictions.of(_labelled(shards, "test"), label[label >= 0], found.predicted.cpu().numpy(), score).save(out / FILE)
    return {"predictions": FILE}


def _labelled(shards: ShardSet, split: str) -> list[str]:
    """The ids of the images of a split that have a label, in order."""
    return [name for name, number in zip(shards.ids(split), shards.table(split).label) if number >= 0]


def _save_counts(job: JobFolder[EvaluateSpec], shards: ShardSet, found: Measured) -> dict[str, str]:
    """Keep what was said of every labelled image that was asked about, where the protocol tells it by answers."""
    if not found.answers:
        return {}
    options = job.spec.evaluation
    asked = SPLITS if isinstance(options, Knn) and options.leave_one_out else ("test",)
    save_answers(found.answers, [name for split in asked for name in _labelled(shards, split)], job.path / ANSWERS)
    return {"answers": ANSWERS}


def _save_looks(out: Path, embedding: Embedding, named: Tensor) -> dict[str, str]:
    """Keep pictures of what the features see; the artifacts."""
    classes = embedding.features.num_classes
    counts = confusion(embedding.features.test_label.cpu().numpy(), named.cpu().numpy(), classes)
    # what draws them loads slowly, and other protocols do without
    looks = importlib.import_module("pipelines.building.looks")
    found: dict[str, str] = looks.write_looks(out, embedding, named, worst(shares(counts), SHOWN_CONFUSIONS))
    return found
