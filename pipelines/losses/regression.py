"""Cosine regression: BYOL's and SimSiam's loss between a prediction and the other view's projection.

BYOL: Grill et al. 2020, arXiv:2006.07733, eq. 2. SimSiam: Chen and He 2020, arXiv:2011.10566, eq. 1, 2.
Of the same cosines, BYOL's loss is 4 + 4 x SimSiam's: its gradient is four times as large.
"""

import torch.nn.functional as F
from torch import Tensor


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine (N,) of each row of ``a`` (N, D) with the same row of ``b`` (N, D); any norm."""
    return (F.normalize(a, dim=1) * F.normalize(b, dim=1)).sum(1)


def squared_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """||n(p) - n(z)||^2 = 2 - 2 cos, in [0, 4], (N,) for rows (N, D) of any norm. Gradient flows to both."""
    return 2 - 2 * cosine(prediction, target)


def byol_loss(p1: Tensor, p2: Tensor, target1: Tensor, target2: Tensor) -> Tensor:
    """Mean over images of the SUM of both views' squared distances: 0-d, in [0, 8].

    p1, p2 (N, D) online predictions of the views; target1, target2 (N, D) the target network's projections of the
    same views, taken as constants. A view's prediction is compared with the other view's target.
    """
    return (squared_distance(p1, target2.detach()) + squared_distance(p2, target1.detach())).mean()


def simsiam_loss(p1: Tensor, p2: Tensor, z1: Tensor, z2: Tensor, stop_gradient: bool = True) -> Tensor:
    """Minus the mean cosine of both directions: 0-d, in [-1, 1].

    p1, p2 (N, D) predictions and z1, z2 (N, D) projections of the two views, by one network.
    stop_gradient=False lets the gradient into z as well: the paper's collapse ablation (section 4.1).
    """
    if stop_gradient:
        z1, z2 = z1.detach(), z2.detach()
    return -(cosine(p1, z2).mean() + cosine(p2, z1).mean()) / 2
