"""Features shifted and scaled to mean squared length 1: one grid of settings then fits encoders of any width and scale."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scaling:
    """x -> (x - mean) * factor, so that rows like those it was made from have mean 0 and mean squared length 1."""

    mean: Tensor
    factor: Tensor

    @staticmethod
    def of(rows: Tensor, standardise: bool) -> "Scaling":
        """From rows (n, F). standardise: every feature gets the same spread, constant ones become 0."""
        variance, mean = torch.var_mean(rows, dim=0, correction=0)
        alive = variance > 1e-10 * variance.max()
        if not alive.any():  # all rows are equal: a collapsed encoder
            return Scaling(mean, torch.zeros_like(mean))
        if standardise:
            return Scaling(mean, torch.where(alive, 1 / (variance * alive.sum()).sqrt(), 0))
        return Scaling(mean, (1 / variance.sum().sqrt()).expand_as(mean))

    def __call__(self, rows: Tensor) -> Tensor:
        """(N, F) -> (N, F)."""
        return (rows - self.mean) * self.factor
