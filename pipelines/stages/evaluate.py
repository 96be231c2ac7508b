"""Stage evaluate: measure encoders by protocols. Those on frozen features of one encoder embed its images once.

Every protocol has a job and a record of its own: what is there stays, what fails leaves the others' results alone.
"""

import contextlib
import importlib
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipelines.building.boxes import JobScenes
from pipelines.building.devices import chosen_device, device_name
from pipelines.building.embedding import Embedding, embedding_of
from pipelines.building.label_sets import tagged_features_of
from pipelines.building.masks import maps_of
from pipelines.building.methods import packed, shards_folder
from pipelines.building.pairs import pairs_of
from pipelines.building.view_features import diagnosed_views
from pipelines.building.workbench import WEIGHTS, JobBench, save_classifier
from pipelines.errors import Problem
from pipelines.evaluation.answers import FILE as ANSWERS
from pipelines.evaluation.answers import save_answers
from pipelines.evaluation.detections import FILE as DETECTIONS
from pipelines.evaluation.detections import save_detections
from pipelines.evaluation.labelled import evaluation_seed
from pipelines.evaluation.measured import Measured
from pipelines.evaluation.predictions import FILE, Predictions
from pipelines.evaluation.workbench import Outcome
from pipelines.lease import leased
from pipelines.metric import named
from pipelines.records import now, write_record
from pipelines.seeds import seed_for
from pipelines.sources.base import SPLITS
from pipelines.sources.reader import ShardSet
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.zero_shot import Options as ZeroShot
from pipelines.spec.folder import JobFolder, open_job, ready
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.made_by import code_of
from pipelines.spec.seen_before import PRETRAINED_ON, SeenBefore, seen_before
from pipelines.statistics.confusion import confusion, shares, worst

SHOWN_CONFUSIONS = 4


def run(job: list[Path]) -> int:
    """Measure, and write a record each; 1 when one of them failed."""
    failed = 0
    embedding: Embedding | None = None
    for path in job:
        try:
            folder = open_job(path, EvaluateSpec)
            with contextlib.nullcontext() if folder.done else leased(path):
                if folder.done:
                    print(f"{path}: done already")
                    continue
                folder = ready(folder)
                _tell_leak(folder)
                if folder.spec.evaluation.targets == "boxes":
                    _on_boxes(folder)
                elif folder.spec.evaluation.on_images:
                    _on_images(folder)
                elif folder.spec.evaluation.targets == "captions":
                    _on_captions(folder)
                elif folder.spec.evaluation.targets == "label_sets":
                    _on_label_sets(folder)
                elif folder.spec.evaluation.targets == "masks":
                    _on_masks(folder)
                else:
                    embedding = embedding_of(folder, embedding)
                    _on_features(folder, embedding)
        except Problem as error:
            print(f"error: {path}: {error}", file=sys.stderr)
            failed = 1
    return failed


def _on_features(job: JobFolder[EvaluateSpec], embedding: Embedding) -> None:
    started, clock, device, options = now(), time.perf_counter(), chosen_device(), job.spec.evaluation
    subject = embedding.with_texts(options.templates) if isinstance(options, ZeroShot) else embedding.features
    draw = torch.Generator(device).manual_seed(evaluation_seed(job.spec.seed))
    found: Measured = _protocol(job).measure(options, subject, draw)
    sizes: dict[str, Any] = {
        "features/width": embedding.features.train.shape[1],
        "features/seconds": embedding.seconds,
    }
    sizes |= {f"features/{name}": value for name, value in embedding.diagnosed.items()}
    if isinstance(options, Knn) and options.views:
        told = diagnosed_views(job.spec, embedding.shards, embedding.weights, options.views, device)
        sizes |= {f"features/{name}": value for name, value in told.items()}
    kept = _save_predictions(job.path, embedding.shards, found) | _save_counts(job, embedding.shards, found)
    seconds = time.perf_counter() - clock
    if isinstance(options, Knn) and found.predicted is not None:
        kept |= _save_looks(job.path, embedding, found.predicted)
    _record(job, found.metrics, {**found.derived, **sizes}, seconds, started, kept)


def _on_captions(job: JobFolder[EvaluateSpec]) -> None:
    started, clock = now(), time.perf_counter()
    pairs = pairs_of(job)
    found: Measured = _protocol(job).measure(job.spec.evaluation, pairs)
    counts = {"candidates/images": len(pairs.image), "candidates/captions": len(pairs.text)}
    _record(
        job, found.metrics, {**found.derived, **counts}, time.perf_counter() - clock, started, _save_answers(job, found)
    )


def _on_label_sets(job: JobFolder[EvaluateSpec]) -> None:
    started, clock = now(), time.perf_counter()
    features = tagged_features_of(job)
    seed = evaluation_seed(job.spec.seed) % 2**32  # scikit-learn takes 32 bits
    found: Measured = _protocol(job).measure(job.spec.evaluation, features, seed)
    sizes = {"features/width": features.train.shape[1]}
    _record(
        job, found.metrics, {**found.derived, **sizes}, time.perf_counter() - clock, started, _save_answers(job, found)
    )


def _on_masks(job: JobFolder[EvaluateSpec]) -> None:
    started, clock = now(), time.perf_counter()
    maps = maps_of(job)
    found: Measured = _protocol(job).measure(job.spec.evaluation, maps)
    _, width, height, length = maps.train.shape
    sizes = {"map/width": width, "map/places": height * length}
    _record(
        job, found.metrics, {**found.derived, **sizes}, time.perf_counter() - clock, started, _save_answers(job, found)
    )


def _on_boxes(job: JobFolder[EvaluateSpec]) -> None:
    started, clock = now(), time.perf_counter()
    with torch.random.fork_rng():  # torchvision's layers draw their weights from the global generator
        torch.manual_seed(seed_for(job.spec.seed, "detector"))
        bench = JobScenes.of(job)
        measured, derived, found = _protocol(job).measure(job.spec.evaluation, bench)
    save_detections(found, bench.shards.ids("test"), job.path / DETECTIONS)
    derived = {**measured.derived, **derived}
    kept = {"detections": DETECTIONS, **_save_answers(job, measured)}
    _record(job, measured.metrics, derived, time.perf_counter() - clock, started, kept)
    bench.done()


def _on_images(job: JobFolder[EvaluateSpec]) -> None:
    started, clock, options = now(), time.perf_counter(), job.spec.evaluation
    with torch.random.fork_rng():  # torch's layers draw their weights from the global generator
        torch.manual_seed(seed_for(job.spec.seed, "classifier"))
        bench = JobBench.of(job)
        found: Outcome = _protocol(job).measure(options, bench)
    save_classifier(found.classifier, job.path / WEIGHTS)
    metrics = named("test", found.metrics) | named("holdout", found.holdout)
    kept = {"classifier": WEIGHTS, **_save_predictions(job.path, bench.shards, found)}
    _record(job, metrics, found.derived, time.perf_counter() - clock, started, kept)


def _leak(job: JobFolder[EvaluateSpec]) -> SeenBefore | None:
    """The test images that pretraining on another data set has seen; of the same data set its own shards tell."""
    weights, shards = job.inputs.get("weights"), job.inputs["shards"]
    if weights is None or (trained_on := shards_folder(weights)) == shards:
        return None
    found = seen_before(trained_on, shards)
    return found if found and found.count else None


def _tell_leak(job: JobFolder[EvaluateSpec]) -> None:
    if leak := _leak(job):
        print(
            f"warning: {job.path}: test images that pretraining has seen, so that every number on them may be too high: "
            f"{leak.words}; take them out of one of the two data sets",
            file=sys.stderr,
        )


def _protocol(job: JobFolder[EvaluateSpec]) -> Any:
    """The module that bears the protocol's name."""
    return importlib.import_module(f"pipelines.evaluation.{job.spec.evaluation.use}")


def _record(
    job: JobFolder[EvaluateSpec],
    metrics: dict[str, float],
    derived: dict[str, Any],
    seconds: float,
    started: str,
    artifacts: dict[str, str],
) -> None:
    leak = _leak(job)
    write_record(
        job.path,
        key=job.key,
        stage="evaluate",
        spec=job.spec.model_dump(mode="json"),
        inputs=job.input_keys,
        metrics=metrics,
        derived=derived | ({PRETRAINED_ON: leak.count} if leak else {}),
        flags=[PRETRAINED_ON] if leak else [],
        seconds=seconds,
        device=device_name(chosen_device()),
        code=code_of(job.spec),
        artifacts=artifacts,
        started=started,
    )


def _save_predictions(out: Path, shards: ShardSet, found: Measured | Outcome) -> dict[str, str]:
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


def _save_answers(job: JobFolder[EvaluateSpec], found: Measured) -> dict[str, str]:
    """Keep what was said of every test image, labelled or not; the artifact."""
    save_answers(found.answers, packed(job.inputs["shards"]).ids("test"), job.path / ANSWERS)
    return {"answers": ANSWERS}


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
