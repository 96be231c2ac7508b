"""What each test image adds to a number that is no mean over images, from the number without that image (Tukey 1958).

The pseudo-value of image i is theta + (M - 1) (theta - theta without i), up to a shift that is the same for all, by which their
mean is theta. For a mean over images it is the image's own value. A bootstrap of pseudo-values is one of the number itself
in first order (Efron 1982, chapter 6): it never recounts the number, and seeds and images are drawn as for a mean.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def pseudo_values(whole: float, without: ArrayLike) -> Values:
    """(M,), of mean ``whole``, from the number without each image (M,), in the number's unit.

    Where nothing is left without an image (NaN), it is taken to change nothing.
    """
    left = np.asarray(without, dtype=np.float64)
    moved = np.where(np.isfinite(left), whole - left, 0.0) * (len(left) - 1)
    return whole + moved - moved.mean()


def ratio_without(part: ArrayLike, of: ArrayLike) -> tuple[Values, Values]:
    """Of the sum of part (M, ...) over the sum of (M, ...): the ratio (...), and without each image (M, ...). 0 / 0 is NaN."""
    one, other = np.asarray(part, dtype=np.float64), np.asarray(of, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return one.sum(0) / other.sum(0), (one.sum(0) - one) / (other.sum(0) - other)


def mean_without(whole: ArrayLike, without: ArrayLike) -> tuple[float, Values]:
    """The mean over classes of a number (C,) and of it without each image (M, C), over classes that have one; NaN for none."""
    each, left = np.asarray(whole, dtype=np.float64)[None], np.asarray(without, dtype=np.float64)
    means = []
    for values in (each, left):
        there = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            means.append(np.where(there, values, 0.0).sum(1) / there.sum(1))
    return float(means[0][0]), means[1]


def per_class_without(right: ArrayLike, label: ArrayLike) -> tuple[float, Values]:
    """The mean over classes of each one's share of right (M,), in [0, 1], and without each image (M,).

    label (M,): whole numbers from 0; classes that occur count. Without its only image a class counts no more (NaN: with the
    only image of the only class).
    """
    hit, own = np.asarray(right, dtype=np.float64), np.unique(label, return_inverse=True)[1]
    count, total = np.bincount(own), np.bincount(own, weights=hit)
    C, shares = len(count), total / count
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = ((total[own] - hit) / (count[own] - 1) - shares[own]) / C
        gone = (shares.sum() - shares[own]) / np.float64(C - 1)
    return float(shares.mean()), np.where(count[own] == 1, gone, shares.mean() + moved)


def precision_without(score: ArrayLike, target: ArrayLike) -> tuple[float, Values]:
    """Average precision without interpolation, as scikit-learn counts it, and without each image (M,); NaN where none is right.

    score (M,), higher is surer; target (M,): 1 right, 0 wrong, below 0 not asked. Equal scores are one threshold. Sorting
    takes the time: removing image i takes one from the counts of all thresholds at or below its own, so that two running
    sums over the images in order give every removal.
    """
    said, truth = np.asarray(score, dtype=np.float64), np.asarray(target)
    asked = np.flatnonzero(truth >= 0)
    order = asked[np.argsort(-said[asked], kind="stable")]
    right, ordered = truth[order].astype(np.float64), said[order]
    first = np.searchsorted(-ordered, -ordered, side="left")  # of each image's threshold, and one behind its last
    count = np.searchsorted(-ordered, -ordered, side="right").astype(np.float64)
    hits = np.concatenate([[0.0], right.cumsum()])[count.astype(np.int64)]
    fewer = np.maximum(count - 1, 1)  # a threshold of one image is gone with it, and counts for no other
    above = np.concatenate([[0.0], (right * hits / count).cumsum()])

    def below(taken: float) -> Values:
        each = right * (hits - taken) / fewer
        return np.concatenate([each[::-1].cumsum()[::-1], [0.0]])[first] - each

    rest = above[first] + np.where(right == 1, below(1.0), below(0.0))
    total = right.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = float(np.divide(above[-1], total))
        without = np.full(len(truth), whole)
        without[order] = rest / (total - right)
    return whole, without
