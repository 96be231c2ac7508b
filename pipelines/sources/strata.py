"""Random choices that keep the classes' shares: a slice of a split, or the same number of each class."""

import numpy as np
from numpy.typing import NDArray

from pipelines.randomness import numpy_generator

Positions = NDArray[np.int64]


def stratified_share(labels: NDArray[np.int64], share: float, seed: int, purpose: str) -> Positions:
    """Positions of round(share x N) samples, sorted; each class gives its share, rounded by largest remainder.

    labels (N,), -1 is a class like any other. Equal arguments give equal positions.
    """
    classes, counts = np.unique(labels, return_counts=True)
    quota = _largest_remainder(counts * share, round(share * len(labels)))
    return _draw(labels, classes, quota, numpy_generator(seed, "strata", purpose))


def equal_per_class(labels: NDArray[np.int64], limit: int, seed: int, purpose: str) -> Positions:
    """Positions of min(limit, N) samples, sorted; as many of each class as of the next, within one, if it has them."""
    classes, counts = np.unique(labels, return_counts=True)
    quota = np.zeros_like(counts)
    left = min(limit, len(labels))
    while left:
        wanting = np.flatnonzero(quota < counts)
        each = left // len(wanting)
        if each == 0:
            quota[wanting[:left]] += 1
            break
        given = np.minimum(each, (counts - quota)[wanting])
        quota[wanting] += given
        left -= int(given.sum())
    return _draw(labels, classes, quota, numpy_generator(seed, "strata", purpose))


def _largest_remainder(exact: NDArray[np.floating], total: int) -> NDArray[np.int64]:
    quota = np.floor(exact + 1e-9).astype(np.int64)
    remainder = np.argsort(quota - exact, kind="stable")
    quota[remainder[: total - int(quota.sum())]] += 1
    return quota


def _draw(
    labels: NDArray[np.int64], classes: NDArray[np.int64], quota: NDArray[np.int64], rng: np.random.Generator
) -> Positions:
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:count] for label, count in zip(classes, quota)]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
