"""Losses with a stop-gradient written out by hand, as independent formulas: what is held constant says ``detach``."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.losses.feature_transform import draw_positive_lambda
from pipelines.methods.base import Method, Progress
from pipelines.methods.multicrop import encode_by_size

Formula = Callable[[Method, list[Tensor], Progress], Tensor]


def pushed(method: Method, q: Tensor, k: Tensor, progress: Progress) -> tuple[Tensor, Tensor]:
    """Unit rows extrapolated by the draws that the method makes; as they are without transformation."""
    transform = method.options.feature_transform
    if transform is None:
        return q, k
    shape = {"dimension": tuple(q.shape), "vector": (1, q.shape[1])}.get(transform.positive.granularity, ())
    weight = draw_positive_lambda(transform.positive.alpha, shape, progress.generator)
    if transform.ramp_epochs:
        weight = 1 + (weight - 1) * progress.epoch / transform.ramp_epochs
    far = weight * q + (1 - weight) * k, weight * k + (1 - weight) * q
    return (
        tuple(row / row.norm(dim=1, keepdim=True) for row in far)
        if transform.renormalise in ("positives", "both")
        else far
    )


def simsiam(method: Method, views: list[Tensor], progress: Progress) -> Tensor:
    """Minus the dot product of a view's prediction with the other's projection, a constant; the mean of both ways."""
    z = [method.projector(method.encoder(view)) for view in views]
    p = [method.predictor(row) for row in z]
    z, p = ([row / row.norm(dim=1, keepdim=True) for row in rows] for rows in (z, p))
    pairs = [pushed(method, p[i], z[1 - i].detach(), progress) for i in (0, 1)]
    return -sum((q * k).sum(1).mean() for q, k in pairs) / 2


def swav(method: Method, views: list[Tensor], progress: Progress) -> Tensor:
    """Cross entropy of each code, a constant, with what every other view predicts; the mean over the pairs."""
    z = F.normalize(method.head(encode_by_size(method.encoder, views)), dim=1).chunk(len(views))
    codes = method._codes(z, progress)
    pairs = [(i, v) for i in (0, 1) for v in range(len(views)) if v != i]
    q, k = (torch.cat(rows) for rows in ([z[v] for _, v in pairs], [z[i].detach() for i, _ in pairs]))
    logits = pushed(method, q, k, progress)[0] @ method.prototypes.weight.T / method.options.temperature
    return -(torch.cat([codes[i] for i, _ in pairs]) * logits.log_softmax(1)).sum(1).mean()


def invaspread(method: Method, views: list[Tensor], progress: Progress) -> Tensor:
    """-log P(partner) - the sum over all others of log(1 - P), each row an anchor among constants; the mean over anchors."""
    rows = F.normalize(method.head(method.encoder(torch.cat(views))), dim=1)
    scores, n, total = rows @ rows.detach().T / method.options.temperature, len(rows) // 2, 0.0
    for i in range(2 * n):
        share = scores[i].index_select(0, torch.tensor([j for j in range(2 * n) if j != i])).softmax(0)
        partner = (i + n) % (2 * n) - (i < n)
        apart = torch.cat([share[:partner], share[partner + 1 :]])
        total = total - share[partner].log() - (1 - apart).log().sum()
    return total / (2 * n)
