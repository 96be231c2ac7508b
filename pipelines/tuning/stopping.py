"""When a trial may stop before its end: by rungs, or below a share of what others had at the same epoch.

It is compared with trials of earlier batches alone, so that it does not matter which of its own batch came first.
"""

from collections.abc import Sequence

from pipelines.tuning.search import OptunaStudy

FEWEST = 4
"""Earlier trials that a share of them says something about."""


def compares(search: OptunaStudy, epoch: int) -> bool:
    """Whether trials are compared after this epoch."""
    return epoch in search.rungs or bool(search.prune_below)


def may_stop(search: OptunaStudy, epoch: int, value: float, earlier: Sequence[float]) -> bool:
    """Whether a trial with this value after the epoch stops there. earlier: the values of others after the same epoch."""
    if epoch in search.rungs:
        return not goes_on(value, earlier, search.factor)
    below = sum(other <= value for other in earlier) < search.prune_below * len(earlier)
    return len(earlier) >= FEWEST and below


def goes_on(value: float, others: Sequence[float], factor: int) -> bool:
    """Whether the value is among the highest one in ``factor`` of all at its rung, itself included; of few, the highest.

    Asynchronous successive halving (Li et al. 2020, arXiv:1810.05934, algorithm 2) for trials that cannot be taken up
    again once they stopped. Ties go on.
    """
    ordered = sorted([*others, value], reverse=True)
    return value >= ordered[max(1, len(ordered) // factor) - 1]
