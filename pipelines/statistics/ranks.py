"""Whether protocols, or data sets, put the methods in the same order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FEWEST = 3
"""Methods that two protocols have to share before their orders are compared."""


@dataclass(frozen=True)
class Agreement:
    """Rank correlations in [-1, 1] of every two protocols, and the methods they share.

    kendall   (P, P) tau-b, ties allowed for; NaN where fewer than three methods are shared, or one ranks all alike
    spearman  (P, P) rho, the same
    shared    (P, P) int64
    """

    kendall: NDArray[np.float64]
    spearman: NDArray[np.float64]
    shared: NDArray[np.int64]


def agreement(scores: ArrayLike) -> Agreement:
    """From scores (protocols P, methods M), NaN where one was not measured. ValueError for another shape."""
    values = _scores(scores)
    P = len(values)
    kendall, spearman = np.full((2, P, P), np.nan)
    known = np.isfinite(values).astype(np.int64)
    shared = known @ known.T
    for i in range(P):
        for j in range(P):
            both = (known[i] * known[j]).astype(bool)
            a, b = values[i, both], values[j, both]
            if shared[i, j] >= FEWEST and np.ptp(a) and np.ptp(b):
                kendall[i, j] = stats.kendalltau(a, b).statistic
                spearman[i, j] = stats.spearmanr(a, b).statistic
    return Agreement(kendall, spearman, shared)


def mean_ranks(scores: ArrayLike) -> NDArray[np.float64]:
    """(M,): each method's rank (1: the highest score; ties share their mean) averaged over protocols.

    scores: (protocols P, methods M). A method with a NaN gets NaN, and the others are ranked without it: ranks among
    different rivals are not comparable. ValueError for another shape.
    """
    values = _scores(scores)
    whole = np.isfinite(values).all(0)
    found = np.full(values.shape[1], np.nan)
    if whole.any():
        found[whole] = stats.rankdata(-values[:, whole], axis=1).mean(0)
    return found


def _scores(scores: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"scores have to be (protocols, methods), got {values.shape}")
    return values
