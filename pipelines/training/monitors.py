"""Monitors: numbers read from detached tensors of a training step, that show collapse and how hard the scores are.

Nothing here draws random numbers, writes to a tensor it is given, or knows of a model: watching never changes training.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.spec.training import LEAST_SPREAD

MOST_ROWS = 512
"""Samples used of a batch."""
MOST_COLUMNS = 4096
"""Negative scores used of each sample."""
LEAST_RANK = 2.0
"""Below it the embeddings lie, but for noise, on one line through the origin."""
MOST_ALIKE = 0.95
"""Above it half of all pairs of images have nearly one embedding. Batch norm forces a mean of 0 on what follows it, so that
N - 1 equal rows and one opposite row keep a spread of 2 / sqrt(N): only the pairs show such a collapse."""


@torch.no_grad()
def feature_spread(embeddings: Tensor) -> Tensor:
    """0-d, in [0, 1]: sqrt(D) x the mean over dimensions of the standard deviation over rows; (N, D), rows made unit.

    1: evenly spread over the sphere; 0: all rows are one point (Chen and He 2021, arXiv:2011.10566, section 4.1, whose
    1 / sqrt(D) is 1 here). Its square is at most 1 - |mean row|^2.
    """
    rows = F.normalize(embeddings.float(), dim=1)
    return rows.std(dim=0, correction=0).mean() * math.sqrt(rows.shape[1])


@torch.no_grad()
def effective_rank(embeddings: Tensor) -> Tensor:
    """0-d, in [1, min(N, D)]: exp of the entropy of the singular values of (N, D), rows made unit.

    The values are divided by their sum (Roy and Vetterli 2007; RankMe, Garrido et al. 2023, arXiv:2210.02885). The rows
    are not centred: equal rows then have rank 1, where centring would leave the rank of rounding errors.
    """
    rows = F.normalize(embeddings.double(), dim=1)
    gram = rows.T @ rows if len(rows) > rows.shape[1] else rows @ rows.T
    share = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    share = share / share.sum().clamp(min=1e-30)
    return torch.special.entr(share).sum().exp()


@torch.no_grad()
def median_cosine(embeddings: Tensor) -> Tensor:
    """0-d, in [0, 1]: the median over pairs of different rows of |cosine|; (N, D), N at least 2, rows made unit."""
    rows = F.normalize(embeddings.float(), dim=1)
    above = torch.triu_indices(len(rows), len(rows), offset=1)
    return (rows @ rows.T).abs()[above[0], above[1]].median()


def score_statistics(positive: Tensor, negative: Tensor) -> dict[str, Tensor]:
    """0-d statistics of cosines: positive (N,) of each sample with its positive, negative (N, K) with its negatives.

    negative_mean and negative_variance: each sample's mean and unbiased variance over K, then the mean over samples;
    positive_mean and positive_variance (unbiased) over samples. The curves of Zhu et al. 2021 (arXiv:2108.02982),
    figure 3. A variance of one value is 0.
    """
    positive, negative = positive.float(), negative.float()
    variance, mean = torch.var_mean(negative, dim=1, correction=min(1, negative.shape[1] - 1))
    return {
        "positive_mean": positive.mean(),
        "positive_variance": positive.var(correction=min(1, len(positive) - 1)),
        "negative_mean": mean.mean(),
        "negative_variance": variance.mean(),
    }


def collapsed(spread: float, rank: float, alike: float = 0.0) -> bool:
    """Whether embeddings of this feature spread, effective rank and median cosine have collapsed, to a point or onto a line.

    True when spread < 0.1, or rank < 2, or the median cosine > 0.95, or one of them is not a number. An untrained encoder
    may be called collapsed too: ask after training. Collapse onto a few dimensions is not caught: see the effective rank.
    """
    return not (spread >= LEAST_SPREAD and rank >= LEAST_RANK and alike <= MOST_ALIKE)


def read(watched: dict[str, Tensor]) -> dict[str, float]:
    """Metrics by slashed names from ``Output.watched``; what is not watched is not measured.

    embeddings (N, D)                            -> collapse/{spread,effective_rank,median_cosine}
    positive_scores (N,), negative_scores (N, K) -> scores/{positive,negative}_{mean,variance}
    the same, untransformed_...                  -> scores/untransformed_{positive,negative}_{mean,variance}

    To stay cheap at most 512 rows are used, and of each row at most 4,096 negatives: every ceil(N / 512)-th row and every
    ceil(K / 4096)-th negative, so that nothing is drawn.
    """
    values: dict[str, Tensor] = {}
    if "embeddings" in watched:
        rows = _thinned(watched["embeddings"].detach(), MOST_ROWS).cpu()
        values |= {"collapse/spread": feature_spread(rows), "collapse/effective_rank": effective_rank(rows)}
        if len(rows) > 1:
            values["collapse/median_cosine"] = median_cosine(rows)
    scores = scores_of(watched)
    for before in ("", "untransformed_"):
        if f"{before}positive" in scores and f"{before}negative" in scores:
            found = score_statistics(scores[f"{before}positive"], scores[f"{before}negative"])
            values |= {f"scores/{before}{name}": value for name, value in found.items()}
    return {name: value.item() for name, value in values.items()}


def scores_of(watched: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The scores of ``Output.watched`` by their side (positive, untransformed_negative and so on), thinned as ``read`` says."""
    found = {}
    for name, scores in watched.items():
        if name.endswith("_scores"):
            rows = _thinned(scores.detach(), MOST_ROWS)
            found[name.removesuffix("_scores")] = rows if rows.ndim == 1 else _thinned(rows, MOST_COLUMNS, dim=1)
    return found


def _thinned(tensor: Tensor, most: int, dim: int = 0) -> Tensor:
    """Every ceil(length / most)-th entry along ``dim``, as a view."""
    step = max(1, math.ceil(tensor.shape[dim] / most))
    return tensor[::step] if dim == 0 else tensor[:, ::step]


def collapse_flags(metrics: Mapping[str, float | None]) -> list[str]:
    """``["collapsed"]`` when a run's last readings (final/collapse/...) say so; nothing without readings."""
    spread, rank = metrics.get("final/collapse/spread"), metrics.get("final/collapse/effective_rank")
    if spread is None or rank is None:
        return []
    alike = metrics.get("final/collapse/median_cosine")
    return ["collapsed"] if collapsed(spread, rank, 0.0 if alike is None else alike) else []
