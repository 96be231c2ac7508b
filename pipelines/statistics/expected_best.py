"""What the best of n trials reaches on average, from the values of N trials.

Of n trials drawn without replacement from the N the i-th lowest is the best with probability C(i - 1, n - 1) / C(N, n).
The mean over all such draws is what a bootstrap without replacement estimates (Dodge et al. 2019, arXiv:1909.03004, with
replacement there), and needs none. It answers whether a rival would have caught up with another budget.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln


def expected_best(values: Sequence[float]) -> NDArray[np.float64]:
    """(N,) for n = 1 to N: the mean of the highest of n of the values (N,)."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    total = len(ordered)
    rank, n = np.arange(1, total + 1)[None, :], np.arange(1, total + 1)[:, None]
    with np.errstate(invalid="ignore"):
        log_share = _log_choose(rank - 1, n - 1) - _log_choose(np.full_like(rank, total), n)
    share = np.where(rank >= n, np.exp(log_share), 0.0)
    found: NDArray[np.float64] = share @ ordered
    return found


def _log_choose(of: NDArray[np.int64], take: NDArray[np.int64]) -> NDArray[np.float64]:
    """log C(of, take); not a number where take is the larger."""
    found: NDArray[np.float64] = gammaln(of + 1.0) - gammaln(take + 1.0) - gammaln(of - take + 1.0)
    return found
