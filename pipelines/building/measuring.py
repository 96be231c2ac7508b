"""A protocol at work on a subject: its module is found by its name, and given what it measures against."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from pipelines.building.boxes import JobScenes
from pipelines.building.embedding import Embedding
from pipelines.building.label_sets import tagged_features_of
from pipelines.building.masks import maps_of
from pipelines.building.pairs import pairs_of
from pipelines.building.subject import Subject
from pipelines.building.workbench import JobBench
from pipelines.evaluation.classifier import Classifier
from pipelines.evaluation.detections import Detections
from pipelines.evaluation.labelled import evaluation_seed
from pipelines.evaluation.measured import Measured
from pipelines.evaluation.workbench import Outcome
from pipelines.randomness import seeded
from pipelines.seeds import seed_for
from pipelines.signals import Stop
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.zero_shot import Options as ZeroShot


class Findings(NamedTuple):
    """What a protocol says: numbers, what they follow from, and where it has such the classifier that met test or what was
    found in every test image."""

    measured: Measured
    derived: dict[str, Any]
    classifier: Classifier | None = None
    detections: list[Detections] | None = None


def measured_on_features(options: Protocol, embedding: Embedding, seed: int) -> Measured:
    """By a protocol on frozen features of images with one label each."""
    given = embedding.with_texts(options.templates) if isinstance(options, ZeroShot) else embedding.features
    draw = torch.Generator(embedding.features.test.device).manual_seed(evaluation_seed(seed))
    found: Measured = _module(options).measure(options, given, draw)
    return found


def measured(subject: Subject, stop: Stop | None = None, say: Callable[[str], None] = lambda _: None) -> Findings:
    """By any other protocol. InputError where the data set has too little for it.

    One that trains on images does so in all processes, saves where ``stop`` was asked for, and goes on from there.
    say: called with a line now and then by one that trains.
    """
    options = subject.spec.evaluation
    match options.targets:
        case "captions":
            pairs = pairs_of(subject)
            counts = {"candidates/images": len(pairs.image), "candidates/captions": len(pairs.text)}
            return Findings(_module(options).measure(options, pairs), counts)
        case "label_sets":
            tagged = tagged_features_of(subject)
            seed = evaluation_seed(subject.spec.seed) % 2**32  # scikit-learn takes 32 bits
            return Findings(_module(options).measure(options, tagged, seed), {"features/width": tagged.train.shape[1]})
        case "masks":
            maps = maps_of(subject)
            _, width, height, length = maps.train.shape
            return Findings(
                _module(options).measure(options, maps), {"map/width": width, "map/places": height * length}
            )
        case "boxes":
            return _on_boxes(subject, stop or Stop(), say)
        case _:
            return _on_images(subject, stop or Stop(), say)


def _on_boxes(subject: Subject, stop: Stop, say: Callable[[str], None]) -> Findings:
    # torchvision's layers draw their weights from the global generator
    with seeded(seed_for(subject.spec.seed, "detector")):
        options = subject.spec.evaluation
        said, derived, found = _module(options).measure(options, JobScenes.of(subject, stop, say))
    return Findings(said, derived, detections=found)


def _on_images(subject: Subject, stop: Stop, say: Callable[[str], None]) -> Findings:
    # torch's layers draw their weights from the global generator
    with seeded(seed_for(subject.spec.seed, "classifier")):
        options = subject.spec.evaluation
        found: Outcome = _module(options).measure(options, JobBench.of(subject, stop, say))
    said = Measured(found.metrics, found.holdout, predicted=found.predicted, score=found.score)
    return Findings(said, found.derived, found.classifier)


def _module(options: Protocol) -> Any:
    return importlib.import_module(f"pipelines.evaluation.{options.use}")
