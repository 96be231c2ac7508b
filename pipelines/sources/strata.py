"""Random choices that keep the classes' shares: a slice of a split, or the same number of each class."""

import numpy as np
from numpy.typing import NDArray

from pipelines.listing.quotas import evenly, shares
from pipelines.randomness import numpy_generator

Positions = NDArray[np.int64]


def stratified_share(labels: NDArray[np.int64], share: float, seed: int, purpose: str) -> Positions:
    """Positions of round(share x N) samples, sorted; each class gives its share, rounded by largest remainder.

    labels (N,), -1 is a class like any other. Equal arguments give equal positions.
    """
    classes, counts = np.unique(labels, return_counts=True)
    quota = shares(counts.tolist(), share)
    return _draw(labels, classes, quota, numpy_generator(seed, "strata", purpose))


def equal_per_class(labels: NDArray[np.int64], limit: int, seed: int, purpose: str) -> Positions:
    """Positions of min(limit, N) samples, sorted; as many of each class as of the next, within one, if it has them."""
    classes, counts = np.unique(labels, return_counts=True)
    quota = evenly(counts.tolist(), limit)
    return _draw(labels, classes, quota, numpy_generator(seed, "strata", purpose))


def _draw(
    labels: NDArray[np.int64], classes: NDArray[np.int64], quota: list[int], rng: np.random.Generator
) -> Positions:
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:count] for label, count in zip(classes, quota)]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
