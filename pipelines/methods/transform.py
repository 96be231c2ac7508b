"""Draws and switches of feature transformation, for every method that has positive pairs and negatives."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.losses import feature_transform as ft
from pipelines.methods.base import Progress
from pipelines.spec.methods.parts import FeatureTransform


def starts(options: FeatureTransform | None, progress: Progress) -> FeatureTransform | None:
    """The options between their start and their end epoch, none outside or without them."""
    if options is None or progress.epoch < options.start_epoch:
        return None
    over = options.end_epoch is not None and progress.epoch >= options.end_epoch
    return None if over else options


def strength(options: FeatureTransform, progress: Progress) -> float:
    """In [0, 1]: how far the factors have moved from no change to what is drawn."""
    if not options.ramp_epochs:
        return 1.0
    return min(1.0, (progress.epoch - options.start_epoch) / options.ramp_epochs)


def transformed_pair(options: FeatureTransform, q: Tensor, k: Tensor, progress: Progress) -> tuple[Tensor, Tensor]:
    """Query and key (N, D) pushed apart, or as they are when the positive side is off."""
    if options.positive is None:
        return q, k
    rows, dim = q.shape
    shapes = {"batch": (), "vector": (1, dim), "sample": (rows, 1), "dimension": (rows, dim)}
    drawn = ft.draw_positive_lambda(options.positive.alpha, shapes[options.positive.granularity], progress.generator)
    weight = 1 + strength(options, progress) * (drawn - 1)
    far_q, far_k = ft.extrapolate_positives(q, k, weight)
    if not options.positive.key_gradient:
        _, far_k = ft.extrapolate_positives(q.detach(), k, weight)
    if options.renormalise in ("positives", "both"):
        far_q, far_k = F.normalize(far_q, dim=1), F.normalize(far_k, dim=1)
    return far_q, far_k


def kept_scores(options: FeatureTransform, far: Tensor, plain: Tensor) -> Tensor:
    """The positives' scores (N,): of the pairs pushed apart, or a control that mixes them with those of the plain pairs."""
    keeps = options.positive.keeps if options.positive else "both"
    if keeps == "hardness":
        return plain + (far - plain).detach()
    if keeps == "gain":
        return far + (plain - far).detach()
    return far


def transformed_negatives(options: FeatureTransform, negatives: Tensor, progress: Progress) -> Tensor:
    """Negatives (K, D) mixed with a permutation of themselves, or as they are when the negative side is off.

    With ``queue: union`` (2K, D), the original ones first.
    """
    side = options.negative
    if side is None:
        return negatives
    rows, dim = negatives.shape
    shapes = {"batch": (), "vector": (1, dim), "row": (rows, 1), "dimension": (rows, dim)}
    weight = _negative_weight(options, shapes[side.granularity], progress)
    order = torch.randperm(rows, generator=progress.generator, device=negatives.device)
    mixed = ft.interpolate_negatives(negatives, order, weight)
    if side.keeps == "length":
        mixed = negatives * mixed.norm(dim=1, keepdim=True)
    if options.renormalise in ("negatives", "both"):
        mixed = F.normalize(mixed, dim=1)
    return torch.cat([negatives, mixed]) if side.queue == "union" else mixed


def transformed_scores(options: FeatureTransform, negative: Tensor, progress: Progress) -> Tensor:
    """Negatives' scores (N, K) as mixed negatives would give them, or as they are when the negative side is off.

    With ``queue: union`` (N, 2K), the original ones first.
    """
    if options.negative is None:
        return negative
    weight = _negative_weight(options, (), progress)
    order = torch.randperm(negative.shape[1], generator=progress.generator, device=negative.device)
    mixed = ft.interpolate_scores(negative, order, weight)
    return torch.cat([negative, mixed], dim=1) if options.negative.queue == "union" else mixed


def _negative_weight(options: FeatureTransform, shape: tuple[int, ...], progress: Progress) -> Tensor:
    assert options.negative is not None
    drawn = ft.draw_negative_lambda(options.negative.alpha, shape, progress.generator)
    return 1 - strength(options, progress) * (1 - drawn)
