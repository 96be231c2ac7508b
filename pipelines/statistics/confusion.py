"""Which classes are named for which: from the label and the named class of every test image."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def confusion(label: ArrayLike, predicted: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """(C, C) counts: of images of each class (row), how many were named as each (column). ValueError for other classes."""
    truth, named = np.asarray(label).astype(np.int64), np.asarray(predicted).astype(np.int64)
    most = max(truth.max(initial=-1), named.max(initial=-1))
    if truth.shape != named.shape or truth.ndim != 1 or min(truth.min(initial=0), named.min(initial=0)) < 0:
        raise ValueError(f"a label and a named class for every image, from 0, not {truth.shape} and {named.shape}")
    if most >= num_classes:
        raise ValueError(f"class {most} of {num_classes} classes")
    counts = np.bincount(truth * num_classes + named, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(C, C) in [0, 1]: each row over its sum; the diagonal is every class's accuracy. NaN for a class without images."""
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def worst(found: NDArray[np.float64], most: int) -> list[tuple[int, int, float]]:
    """(class, named as, share) of the largest shares off the diagonal of (C, C), the largest first; zeros are none."""
    off = np.where(np.eye(len(found), dtype=bool) | np.isnan(found), 0.0, found)
    order = np.argsort(-off, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(found)) for place in order]
    return [(truth, named, float(off[truth, named])) for truth, named in pairs if off[truth, named] > 0]
