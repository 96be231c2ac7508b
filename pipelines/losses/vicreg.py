"""VICReg: views agree, every feature keeps its variance, and no two vary together (Bardes et al. 2022, arXiv:2105.04906,
eq. 1 to 6).

Differs from eq. 5, as algorithm 1 and the released code do: the squared distance is a mean over features as well.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.losses.barlow_twins import off_diagonal_squares


class Terms(NamedTuple):
    """The unweighted terms, 0-d each. variance and covariance are sums over the two views."""

    invariance: Tensor
    variance: Tensor
    covariance: Tensor


def variance_hinge(z: Tensor, gamma: float = 1.0, eps: float = 1e-4) -> Tensor:
    """Eq. 1: mean over features of max(0, gamma - sqrt(Var + eps)); 0-d, in [0, gamma). Var over the N rows, unbiased."""
    return F.relu(gamma - torch.sqrt(z.var(dim=0) + eps)).mean()


def covariance_penalty(z: Tensor) -> Tensor:
    """Eq. 4: the squared covariances of different features of (N, D), summed and divided by D; 0-d. Unbiased: N - 1."""
    centred = z - z.mean(dim=0)
    return off_diagonal_squares(centred.T @ centred / (len(z) - 1)) / z.shape[1]


def vicreg(first: Tensor, second: Tensor) -> Terms:
    """The terms for two views' embeddings (N, D), N at least 2, not normalised; row n of both is image n.

    N has to be the whole batch: variances over shares of it are others, and their mean is not the whole's.
    """
    return Terms(
        F.mse_loss(first, second),
        variance_hinge(first) + variance_hinge(second),
        covariance_penalty(first) + covariance_penalty(second),
    )
