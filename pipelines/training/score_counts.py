"""Counts of scores by bin and stretch of training, filled at the steps that monitors read.

They are counted on the device, draw nothing, and are part of the checkpoint: a resumed training has the same counts.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pipelines.histograms import BINS, ROWS, Histograms
from pipelines.training.monitors import scores_of

Counts = dict[str, Tensor]
"""Side -> (ROWS, BINS) int64 on the CPU."""


@torch.no_grad()
def histogram(scores: Tensor) -> Tensor:
    """(BINS,) int64 on the scores' device: how many of the values, of any shape, lie in each bin of [-1, 1].

    What lies beyond counts in the first or the last bin, what is no number nowhere. A sum of whole numbers, so that no order
    matters, and of fixed size, so that nobody waits for it.
    """
    values = scores.reshape(-1).float()
    place = ((values.nan_to_num() + 1) * (BINS / 2)).floor().clamp(0, BINS - 1).long()
    return torch.zeros(BINS, dtype=torch.int64, device=values.device).scatter_add_(0, place, (~values.isnan()).long())


def count(counts: Counts, watched: Mapping[str, Tensor], step: int, total_steps: int) -> None:
    """Add a reading's scores to the row of its step, in place. The host waits once for the device."""
    found = {side: histogram(scores) for side, scores in scores_of(watched).items()}
    if not found:
        return
    row = step * ROWS // total_steps
    for side, bins in zip(found, torch.stack(list(found.values())).cpu()):
        counts.setdefault(side, torch.zeros(ROWS, BINS, dtype=torch.int64))[row] += bins


def counted(counts: Counts, total_steps: int) -> Histograms | None:
    """The rows that were read; None where no scores were."""
    read = sum((each.sum(1) for each in counts.values()), torch.zeros(ROWS, dtype=torch.int64))
    rows = read.nonzero().flatten()
    if not len(rows):
        return None
    found = {side: tuple(tuple(row) for row in each[rows].tolist()) for side, each in sorted(counts.items())}
    return Histograms(total_steps=total_steps, rows=tuple(rows.tolist()), counts=found)
