"""Accuracies of class scores, as fractions."""

import torch
from torch import Tensor


def accuracies(scores: Tensor, label: Tensor) -> dict[str, float]:
    """top1, top5 and mean_per_class of scores (M, C) against label (M,) int64, all in [0, 1]; M at least 1.

    top5: the share of rows with the label among the five largest scores (all of them where C < 5). mean_per_class: the
    mean over the classes that occur of each one's top1, the fair number for unbalanced sets.
    """
    C = scores.shape[1]
    best = scores.topk(min(5, C), dim=1).indices
    hits = best == label.unsqueeze(1)
    first = hits[:, 0].double()
    counts = torch.bincount(label, minlength=C)
    per_class = torch.zeros(C, dtype=torch.float64, device=scores.device).index_add_(0, label, first)
    occurs = counts > 0
    return {
        "top1": first.mean().item(),
        "top5": hits.any(1).double().mean().item(),
        "mean_per_class": (per_class[occurs] / counts[occurs]).mean().item(),
    }
