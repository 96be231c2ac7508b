"""The features of a data set from what an evaluation names: trained weights, an untrained encoder, or raw pixels."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipelines.building.images import Wanted, in_order, loader, plain_views
from pipelines.building.methods import Pretrained, facts_of, fresh_encoder, fresh_method
from pipelines.encoders import build_encoder
from pipelines.encoders.base import Encoder
from pipelines.encoders.headed import Headed
from pipelines.errors import InputError
from pipelines.evaluation.features import Features, gathered, pixel_parts, pooled_features, pooled_parts
from pipelines.evaluation.tapped import tapped_parts, width_of
from pipelines.sources.images import Decoding
from pipelines.sources.reader import ShardSet
from pipelines.spec.evaluation.parts import POOLED
from pipelines.spec.jobs import EvaluateSpec, Foreign, Pixels, Untrained
from pipelines.spec.views import Views

Embed = Callable[[Iterator[Tensor]], Tensor]
"""Batches of normalised images -> (n, F) float32 on the CPU."""


@dataclass(frozen=True)
class EvaluatedEncoder:
    """An encoder to be evaluated, and the form in which it takes images. encoder: none for raw pixels."""

    encoder: Encoder | None
    wanted: Wanted

    def embed(self, device: torch.device) -> Embed:
        """What turns image batches into features."""
        if self.encoder is None:
            return lambda batches: torch.cat(list(pixel_parts(batches)))
        encoder = self.encoder.to(device)
        return lambda batches: pooled_features(encoder, batches, device)

    def parts(
        self, batches: Iterator[Tensor], device: torch.device, features: tuple[str, ...] = POOLED
    ) -> Iterator[Tensor]:
        """The same, batch by batch; of several features side by side, as ``columns`` says."""
        if self.encoder is None:
            return pixel_parts(batches)
        encoder = self.encoder.to(device)
        return (
            pooled_parts(encoder, batches, device)
            if features == POOLED
            else tapped_parts(encoder, batches, device, features)
        )

    def columns(self, features: tuple[str, ...]) -> dict[str, tuple[int, int]]:
        """Where each feature stands; InputError for one that the encoder does not have. Empty for the pooled one alone."""
        if self.encoder is None or features == POOLED:
            return {}
        ends = list(itertools.accumulate(width_of(self.encoder, each) for each in features))
        return dict(zip(features, itertools.pairwise([0, *ends])))


def source_of(spec: EvaluateSpec, shards: ShardSet, trained: Pretrained | None) -> EvaluatedEncoder:
    """What an evaluation's spec names; ``trained``: what was pretrained, where it names that."""
    if isinstance(spec.source, Pixels):
        return EvaluatedEncoder(None, Wanted.of(shards))
    if isinstance(spec.source, Untrained):
        return _untrained(spec.source, shards, spec.seed)
    if isinstance(spec.source, Foreign):
        return foreign_source(spec.source)
    assert trained is not None, "planning gives trained encoders their weights"
    return trained_source(trained, spec.head_layers)


def trained_source(trained: Pretrained, head_layers: int = 0) -> EvaluatedEncoder:
    """The encoder that was pretrained, with the first layers of its head where any are asked for."""
    method = trained.method()
    encoder = Headed(method.encoder, *trained.head(method, head_layers)) if head_layers else method.encoder
    return EvaluatedEncoder(encoder, trained.wanted)


def foreign_source(source: Foreign) -> EvaluatedEncoder:
    """The encoder in a file."""
    options = source.encoder
    size, mean, std = options.takes()
    decoding = Decoding(channels=options.channels, value_range=options.value_range)
    wanted = Wanted(Views(), size, mean, std, decoding)
    return EvaluatedEncoder(build_encoder(options, size, wanted.channels), wanted)


def _untrained(source: Untrained, shards: ShardSet, seed: int) -> EvaluatedEncoder:
    wanted = Wanted.of(shards, source.views, source.image_size)
    if source.method is None:
        return EvaluatedEncoder(fresh_encoder(source.encoder, wanted.image_size, seed, wanted.channels), wanted)
    facts = facts_of(shards, wanted.image_size)
    return EvaluatedEncoder(fresh_method(source.method, source.encoder, facts, seed).encoder, wanted)


def embedded(
    source: EvaluatedEncoder,
    shards: ShardSet,
    device: torch.device,
    scratch: Path | None = None,
    features: tuple[str, ...] = POOLED,
) -> Features:
    """The features of both splits' labelled images; ``scratch``: a folder for those too large for memory, none: no limit."""
    if not shards.class_names:
        raise InputError(
            f"{shards.folder}: {shards.index.dataset} has no labels, so nothing can be measured on it; say so with "
            "dataset.labels: none, and add a labelled data set with role: target"
        )
    columns = source.columns(features)
    rows, labels = {}, {}
    for split in ("train", "test"):
        views = plain_views(loader(shards, split, in_order(), device), source.wanted, device)
        label = torch.as_tensor(shards.table(split).label)
        rows[split] = gathered(source.parts(views, device, features), label >= 0, scratch)
        shards.check_unchanged(split)
        labels[split] = label[label >= 0]
    return Features(
        train=rows["train"],
        train_label=labels["train"],
        holdout=among_labelled(shards),
        test=rows["test"],
        test_label=labels["test"],
        num_classes=len(shards.class_names),
        columns=columns,
    )


def among_labelled(shards: ShardSet) -> Tensor:
    """The held-out positions, counted among the labelled images of train alone."""
    labelled = torch.as_tensor(shards.table("train").label >= 0)
    place = labelled.cumsum(0) - 1
    holdout = torch.as_tensor(shards.holdout)
    return place[holdout[labelled[holdout]]]
