"""Deep InfoMax, local objective: does a local feature belong to a global one? (Hjelm et al. 2018, arXiv:1808.06670.)

Three estimators of mutual information over the scores of all images' locals with all images' globals: Jensen-Shannon
(eq. 4), InfoNCE (eq. 5) and Donsker-Varadhan (eq. 2). No row is normalised, there is no temperature.

The released InfoNCE does not drop an image's own other positions but sets their scores to -10, so that each adds
exp(-10) to the denominator: ``own_score=-10``. ``own_score=None`` drops them, as the equation says. The released
Donsker-Varadhan function fails on general shapes; here it is the formula.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

RELEASED_OWN_SCORE = -10.0


def local_scores(local: Tensor, glob: Tensor) -> Tensor:
    """(N, M, P, G): score of global g of image i with local p of image j.

    local (M, U, P) features of all images, glob (N, U, G) of this process's; M = N on one process.
    """
    return torch.einsum("iug,jup->ijpg", glob, local)


def dim_jsd(local: Tensor, glob: Tensor, *, offset: int = 0) -> Tensor:
    """Jensen-Shannon: mean softplus(u) over pairs of different images + mean softplus(-u) over own pairs - 2 log 2.

    local (M, U, P), glob (N, U, G); image i of glob is image offset + i of local. All cross pairs count.
    """
    scores = local_scores(local, glob)
    own, cross = _own(scores, offset), F.softplus(scores)
    pairs = scores[0, 0].numel() * len(scores)
    apart = (cross.sum() - F.softplus(own).sum()) / (pairs * (scores.shape[1] - 1))
    return apart + F.softplus(-own).mean() - 2 * math.log(2)


def dim_info_nce(
    local: Tensor, glob: Tensor, *, own_score: float | None = RELEASED_OWN_SCORE, offset: int = 0
) -> Tensor:
    """InfoNCE, mean over images, positions and globals, nats: each own local against all locals of other images.

    local (M, U, P), glob (N, U, G), offset as in ``dim_jsd``. own_score: what the image's own positions count as among
    the negatives, None to leave them out.
    """
    scores = local_scores(local, glob)
    positive = _own(scores, offset)  # (N, P, G)
    masked = scores.masked_fill(_own_mask(scores, offset), -math.inf if own_score is None else own_score)
    negatives = torch.logsumexp(masked.flatten(1, 2), dim=1)  # (N, G), over every image and position
    return F.softplus(negatives.unsqueeze(1) - positive).mean()


def dim_dv(local: Tensor, glob: Tensor, *, offset: int = 0) -> Tensor:
    """Donsker-Varadhan: log of the mean exp(score) over pairs of different images - mean score of own pairs.

    local (M, U, P), glob (N, U, G), offset as in ``dim_jsd``. The log of a mean: with several processes the mean of
    their losses is not the loss of the joined batch.
    """
    scores = local_scores(local, glob)
    own = _own(scores, offset)
    masked = scores.masked_fill(_own_mask(scores, offset), -math.inf)
    count = scores[0, 0].numel() * len(scores) * (scores.shape[1] - 1)
    return torch.logsumexp(masked.flatten(), dim=0) - math.log(count) - own.mean()


def _own(scores: Tensor, offset: int) -> Tensor:
    """(N, P, G): scores of each image's locals with its own global."""
    assert scores.shape[1] > 1, "without a second image there is nothing to tell apart"
    rows = torch.arange(len(scores), device=scores.device)
    return scores[rows, rows + offset]


def _own_mask(scores: Tensor, offset: int) -> Tensor:
    """(N, M, 1, 1) bool: where an image meets itself."""
    own = torch.arange(len(scores), device=scores.device) + offset
    other = torch.arange(scores.shape[1], device=scores.device)
    return (own[:, None] == other[None, :])[:, :, None, None]
