"""Accuracies of class scores, as fractions."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def accuracies(scores: Tensor, label: Tensor) -> dict[str, float]:
    """top1, top5 and mean_per_class of scores (M, C) against label (M,) int64, all in [0, 1]; M at least 1.

    top5: the share of rows with the label among the five largest scores (all of them where C < 5). mean_per_class: the
    mean over the classes that occur of each one's top1, the fair number for unbalanced sets.
    """
    C = scores.shape[1]
    hits = _best(scores) == label.unsqueeze(1)
    first = hits[:, 0].double()
    counts = torch.bincount(label, minlength=C)
    per_class = torch.zeros(C, dtype=torch.float64, device=scores.device).index_add_(0, label, first)
    occurs = counts > 0
    return {
        "top1": first.mean().item(),
        "top5": hits.any(1).double().mean().item(),
        "mean_per_class": (per_class[occurs] / counts[occurs]).mean().item(),
    }


def predicted(scores: Tensor) -> Tensor:
    """(M,) int64: the class of each row's largest score, of equal ones the one that top1 counts."""
    return _best(scores)[:, 0]


def hits(scores: Tensor, label: Tensor) -> NDArray[np.uint8]:
    """(M,): 1 where the class that scores (M, C) name is label (M,), as top1 counts it."""
    return (predicted(scores) == label).cpu().numpy().astype(np.uint8)


def certainty(scores: Tensor) -> Tensor:
    """(M,) in [0, 1]: the probability that softmax gives the named class of each row of logits (M, C)."""
    return scores.double().softmax(1).amax(1)


def share_of_votes(votes: Tensor) -> Tensor:
    """(M,) in [0, 1]: the share of each row's votes (M, C), none negative, that the named class has."""
    return votes.amax(1) / votes.sum(1).clamp(min=torch.finfo(votes.dtype).tiny)


def share(right: Tensor) -> float:
    """The share of (M,) bool that is true."""
    return right.double().mean().item()


def over_draws(name: str, values: list[float]) -> dict[str, float]:
    """The mean of values under ``name``, and their standard deviation (n - 1) under ``name_sd`` where there are two."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return {name: mean}
    return {name: mean, f"{name}_sd": math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))}


def _best(scores: Tensor) -> Tensor:
    """(M, 5) int64: the classes of the largest scores (M, C), all of them where C < 5."""
    return scores.topk(min(5, scores.shape[1]), dim=1).indices
