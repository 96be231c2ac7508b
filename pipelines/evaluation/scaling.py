"""Features shifted and scaled to mean squared length 1: one grid of settings then fits encoders of any width and scale."""

from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 8192
"""Rows looked at once."""
ROUNDING = 1e-28
"""A variance below this share of the squared mean is what rounding makes of equal numbers in float64."""


def moments(rows: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Variance (F,) over n, and mean (F,), of the rows at some positions, a chunk at a time (Chan et al. 1979)."""
    count, mean, squares = 0, *torch.zeros(2, rows.shape[1], dtype=torch.float64, device=rows.device)
    for part in which.split(CHUNK):
        here_variance, here = torch.var_mean(rows.index_select(0, part).double(), dim=0, correction=0)
        total, apart = count + len(part), here - mean
        squares += here_variance * len(part) + apart.square() * (count * len(part) / total)
        mean += apart * (len(part) / total)
        count = total
    variance = squares / count
    return torch.where(variance > ROUNDING * mean.square(), variance, 0).to(rows.dtype), mean.to(rows.dtype)


@dataclass(frozen=True)
class Scaling:
    """x -> (x - mean) * factor, so that rows like those it was made from have mean 0 and mean squared length 1."""

    mean: Tensor
    factor: Tensor

    @staticmethod
    def of(rows: Tensor, standardise: bool, which: Tensor | None = None) -> "Scaling":
        """From rows (n, F), or those at the positions ``which``. standardise: every feature gets the same spread, constant ones
        become 0."""
        variance, mean = moments(rows, torch.arange(len(rows), device=rows.device) if which is None else which)
        alive = variance > 1e-10 * variance.max()
        if not alive.any():  # all rows are equal: a collapsed encoder
            return Scaling(mean, torch.zeros_like(mean))
        if standardise:
            return Scaling(mean, torch.where(alive, 1 / (variance * alive.sum()).sqrt(), 0))
        return Scaling(mean, (1 / variance.sum().sqrt()).expand_as(mean))

    def __call__(self, rows: Tensor) -> Tensor:
        """(N, F) -> (N, F)."""
        return (rows - self.mean) * self.factor
