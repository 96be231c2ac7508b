"""What a classifier that looks at no image would score: the floors of a table.

Under the names that ``accuracies`` gives, as fractions in [0, 1].
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def chance(num_classes: int) -> dict[str, float]:
    """top1, top5 and mean_per_class expected of guessing each class equally often. ValueError for no class."""
    if num_classes < 1:
        raise ValueError(f"chance needs a class to guess, got {num_classes}")
    return {"top1": 1 / num_classes, "top5": min(5, num_classes) / num_classes, "mean_per_class": 1 / num_classes}


def majority(train_label: ArrayLike, test_label: ArrayLike) -> dict[str, float]:
    """top1, top5 and mean_per_class on test (m,) of always naming the classes most frequent in train (n,).

    Equally frequent classes are drawn by lot, and the expectation is given: no order of classes plays a part. ValueError for
    labels that are not whole numbers from 0, or none.
    """
    train, test = _labels(train_label, "train"), _labels(test_label, "test")
    num_classes = int(max(train.max(), test.max())) + 1
    counts, share = np.bincount(train, minlength=num_classes), np.bincount(test, minlength=num_classes) / len(test)
    occurs = share > 0
    return {
        "top1": float(_named(counts, 1) @ share),
        "top5": float(_named(counts, 5) @ share),
        "mean_per_class": float(_named(counts, 1)[occurs].mean()),
    }


def _named(counts: NDArray[np.int64], top: int) -> NDArray[np.float64]:
    """(C,): the chance that a class is among the ``top`` most frequent, ties drawn by lot."""
    last = np.sort(counts)[::-1][min(top, len(counts)) - 1]
    above, level = counts > last, counts == last
    return np.where(above, 1.0, np.where(level, (min(top, len(counts)) - above.sum()) / level.sum(), 0.0))


def _labels(given: ArrayLike, split: str) -> NDArray[np.int64]:
    labels = np.asarray(given)
    if labels.ndim != 1 or not labels.size or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ValueError(f"labels of {split} have to be whole numbers from 0, got {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)
