"""What frozen features look like, whatever a classifier makes of them: how they spread, and how classes lie in them."""

import itertools
import math
import statistics

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.evaluation.features import Features

MOST_ROWS = 1024
"""Rows of train looked at, evenly spaced: every number below is of these."""
WITHIN = 1e-4
"""Added to the variance within groups before it is inverted (Thilak et al. 2024, delta)."""


def uniformity(rows: Tensor, t: float = 2.0) -> float:
    """log of the mean over pairs of different rows of exp(-t |x - y|^2), rows (N, D) made unit, N at least 2.

    0 when all are one point; lower is more evenly spread (Wang and Isola 2020, arXiv:2005.10242, eq. 5).
    """
    unit = F.normalize(rows.double(), dim=1)
    return (torch.pdist(unit).square() * -t).logsumexp(0).item() - math.log(len(rows) * (len(rows) - 1) / 2)


def alignment(rows: Tensor, partners: Tensor) -> float:
    """Mean |x - y|^2 over pairs of rows (N, D), made unit; in [0, 4], 0 when partners are equal (same paper, eq. 4)."""
    distance = F.normalize(rows.double(), dim=1) - F.normalize(partners.double(), dim=1)
    return distance.square().sum(1).mean().item()


def spread(rows: Tensor) -> float:
    """In [0, 1]: sqrt(D) x the mean over dimensions of the standard deviation of unit rows; 0: one point."""
    return F.normalize(rows.double(), dim=1).std(dim=0, correction=0).mean().item() * math.sqrt(rows.shape[1])


def rank_me(rows: Tensor) -> float:
    """exp of the entropy of the singular values of (N, D) over their sum; in [1, min(N, D)].

    Garrido et al. 2023, arXiv:2210.02885, eq. 1, without its epsilon. Rows are neither centred nor made unit.
    """
    rows = rows.double()
    gram = rows.T @ rows if len(rows) > rows.shape[1] else rows @ rows.T
    return _effective(torch.linalg.eigvalsh(gram).clamp(min=0).sqrt())


def lidar(rows: Tensor, group: Tensor) -> float:
    """The effective rank of groups' means against the variance within: (N, D), group (N,) int64 from 0, none empty.

    exp of the entropy of the eigenvalues of S_w^(-1/2) S_b S_w^(-1/2) over their sum (Thilak et al. 2024,
    arXiv:2312.04000), where a group is all views of an image. At most one less than there are groups. Rows all equal: 1.
    """
    rows, count = rows.double(), torch.bincount(group)
    means = torch.zeros(len(count), rows.shape[1], dtype=rows.dtype, device=rows.device).index_add_(0, group, rows)
    means = means / count.unsqueeze(1)
    rest = rows - means[group]
    within = rest.T @ rest / len(rows) + WITHIN * torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    between = means - means.mean(0)
    small = between @ torch.linalg.solve(
        within, between.T
    )  # (C, C), with the eigenvalues of the large one that are not 0
    return _effective(torch.linalg.eigvalsh((small + small.T) / 2).clamp(min=0))


def _effective(values: Tensor) -> float:
    return torch.special.entr(values / values.sum().clamp(min=1e-30)).sum().exp().item()


def diagnose_views(rows: Tensor) -> dict[str, float]:
    """alignment and lidar of (n images, V views, D), V at least 2: the numbers as their papers have them, from no label.

    alignment: over all pairs of views of an image, in [0, 4]. lidar: an image's views are a group; in [1, n - 1].
    """
    pairs = itertools.combinations(rows.cpu().unbind(1), 2)
    group = torch.arange(len(rows)).repeat_interleave(rows.shape[1])
    return {
        "alignment": statistics.fmean(alignment(one, other) for one, other in pairs),
        "lidar": lidar(rows.cpu().flatten(0, 1), group),
    }


def diagnose(features: Features) -> dict[str, float]:
    """Uniformity, spread, rank_me, and of classes class_alignment and class_lidar, on at most ``MOST_ROWS`` of train.

    class_alignment: each row's partner is the next one of its class. class_lidar: the classes stand for the groups. No
    label of test takes part. Of several features the first.
    """
    step = max(1, math.ceil(len(features.train) / MOST_ROWS))
    first, end = next(iter(features.columns.values()), (0, None))
    rows, label = features.train[::step, first:end].cpu(), features.train_label[::step].cpu()
    group = label.unique(return_inverse=True)[1]
    order = group.argsort(stable=True)
    follows = group[order][1:] == group[order][:-1]
    found = {"uniformity": uniformity(rows), "spread": spread(rows), "rank_me": rank_me(rows)} if len(rows) > 1 else {}
    if bool(follows.any()):
        found["class_alignment"] = alignment(rows[order[:-1][follows]], rows[order[1:][follows]])
        found["class_lidar"] = lidar(rows, group)
    return found
