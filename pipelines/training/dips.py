"""Dips: how often a curve that should rise falls and recovers, as an unstable training does (Chen et al. 2021,
arXiv:2104.02057, section 4.1, where they are seen by eye in the curve of kNN accuracy)."""

from collections.abc import Sequence


def count_dips(values: Sequence[float], depth: float) -> int:
    """How many separate times a curve lies more than ``depth`` (above 0, in its unit) below the highest value so far.

    A dip lasts until the curve is within ``depth`` of that value again, or to the end. NaN counts as below.
    """
    count, best, inside = 0, float("-inf"), False
    for value in values:
        below = best > float("-inf") and not value >= best - depth
        count += below and not inside
        best, inside = max(best, value) if value == value else best, below
    return count


def deepest(values: Sequence[float]) -> float:
    """How far a curve ever lies below the highest value before it; 0 for one that never falls. NaN is left out."""
    fall, best = 0.0, float("-inf")
    for value in values:
        if value == value:
            best = max(best, value)
            fall = max(fall, best - value)
    return fall
