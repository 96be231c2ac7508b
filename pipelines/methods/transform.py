"""Draws and switches of feature transformation, for every method that has positive pairs and negatives."""

import torch
from torch import Tensor

from pipelines.losses import feature_transform as ft
from pipelines.methods.base import Progress
from pipelines.spec.methods.parts import FeatureTransform


def starts(options: FeatureTransform | None, progress: Progress) -> FeatureTransform | None:
    """The options once their start epoch is reached, none before or without them."""
    return options if options and progress.epoch >= options.start_epoch else None


def transformed_pair(
    options: FeatureTransform, q: Tensor, k: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Query and key (N, D) pushed apart, or as they are when the positive side is off."""
    if options.positive is None:
        return q, k
    shape = {"batch": (), "sample": (len(q), 1), "dimension": tuple(q.shape)}[options.positive.granularity]
    weight = ft.draw_positive_lambda(options.positive.alpha, shape, generator)
    first, second = _on_sphere(options, *ft.extrapolate_positives(q, k, weight))
    return first, second


def transformed_negatives(options: FeatureTransform, negatives: Tensor, generator: torch.Generator) -> Tensor:
    """Negatives (K, D) mixed with a permutation of themselves, or as they are when the negative side is off."""
    if options.negative is None:
        return negatives
    shape = {"batch": (), "row": (len(negatives), 1), "dimension": tuple(negatives.shape)}[options.negative.granularity]
    weight = ft.draw_negative_lambda(options.negative.alpha, shape, generator)
    order = torch.randperm(len(negatives), generator=generator, device=negatives.device)
    return _on_sphere(options, ft.interpolate_negatives(negatives, order, weight))[0]


def _on_sphere(options: FeatureTransform, *vectors: Tensor) -> tuple[Tensor, ...]:
    if not options.renormalise:
        return vectors
    return tuple(torch.nn.functional.normalize(vector, dim=1) for vector in vectors)
