"""CLIP: images and captions find each other within the batch (Radford et al. 2021, arXiv:2103.00020, fig. 3)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_LOG_SCALE = math.log(100)
"""The logits are never scaled by more than 100 (section 2.5)."""


def image_text_contrast(queries: Tensor, candidates: Tensor, log_scale: Tensor, first: int = 0) -> Tensor:
    """Cross entropy of each query finding its partner: 0-d, mean over the queries, nats.

    queries (N, D), candidates (M, D) of the other kind, any norm; candidate ``first + i`` belongs to query i.
    log_scale: 0-d, the logarithm of the factor on the cosines. Gradient flows to all three. Every other candidate is a
    negative, an equal one too: captions that repeat within a batch are false negatives.
    """
    logits = log_scale.exp() * F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).T
    partners = torch.arange(first, first + len(queries), device=queries.device)
    return F.cross_entropy(logits, partners)


def multi_positive_contrast(queries: Tensor, candidates: Tensor, log_scale: Tensor, positive: Tensor) -> Tensor:
    """``image_text_contrast`` with a target spread evenly over all candidates that fit a query: 0-d, nats.

    positive (N, M) bool, at least one a row: which candidates of (M, D) fit which query of (N, D). With one a row this is
    ``image_text_contrast``; else its least value is the mean of ln(number of positives), not 0. UniCL's loss (Yang et
    al. 2022, arXiv:2204.03610), each query weighing the same.
    """
    logits = log_scale.exp() * F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).T
    target = positive.to(logits.dtype) / positive.sum(dim=1, keepdim=True)
    return F.cross_entropy(logits, target)


def clamped_log_scale(log_scale: Tensor) -> Tensor:
    """``log_scale`` within [0, ln 100]; to be written back to the parameter after each optimizer step."""
    return log_scale.detach().clamp(0, MAX_LOG_SCALE)


def zero_shot_classifier(text_features: Tensor) -> Tensor:
    """Class weights (D, C) with unit columns, from unit text features (C, T, D) of C class names in T templates.

    The mean over the templates, normalised again: the ensemble is made in embedding space (section 3.1.4).
    """
    return F.normalize(text_features.mean(1), dim=1).T


def zero_shot_logits(image_features: Tensor, classifier: Tensor) -> Tensor:
    """100 x the cosines (M, C) of unit image features (M, D) with a classifier (D, C)."""
    return 100 * image_features @ classifier
