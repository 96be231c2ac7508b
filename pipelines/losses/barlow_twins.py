"""Barlow Twins: the cross-correlation of two views' features is the identity (Zbontar et al. 2021, arXiv:2103.03230,
eq. 1 and 2).
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Correlation(NamedTuple):
    """Both terms of the loss, 0-d. on_diagonal: sum of (1 - C_ii)^2. off_diagonal: sum over i != j of C_ij^2."""

    on_diagonal: Tensor
    off_diagonal: Tensor


def standardised(z: Tensor, eps: float = 1e-5) -> Tensor:
    """(N, D) with each feature shifted and scaled to mean 0 and variance 1 over the rows.

    What batch norm without gain and shift does in training: the variance is the biased one, ``eps`` is added to it, so
    that a feature that is constant over the rows becomes 0.
    """
    variance, mean = torch.var_mean(z, dim=0, correction=0)
    return (z - mean) * torch.rsqrt(variance + eps)


def cross_correlation(first: Tensor, second: Tensor) -> Tensor:
    """C (D, D), in [-1, 1]: of feature i of ``first`` (N, D) with feature j of ``second`` (N, D), row n of both image n."""
    return standardised(first).T @ standardised(second) / len(first)


def off_diagonal_squares(matrix: Tensor) -> Tensor:
    """0-d: the sum of the squares of a (D, D) matrix, its diagonal left out."""
    return (matrix - torch.diag(matrix.diagonal())).square().sum()


def barlow_twins(first: Tensor, second: Tensor) -> Correlation:
    """The terms for two views (N, D), any scale; the loss is on_diagonal + lambda x off_diagonal.

    N has to be the whole batch: correlations over shares of it are others, and their mean is not the whole's.
    """
    correlation = cross_correlation(first, second)
    return Correlation((1 - correlation.diagonal()).square().sum(), off_diagonal_squares(correlation))
