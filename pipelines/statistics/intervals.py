"""The mean of a cell with its interval, and what the interval counts.

seeds and images   another set of seeds and another test set of this kind: two-way bootstrap of the correctness of every
                   seed on every test image
seeds              other seeds on the same test images: Student's t on the values of the seeds
images             another test set for these very weights: one seed alone says nothing of others
nothing            one value of which nothing else is known
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from pipelines.statistics.resampling import two_way_interval

Counted = Literal["seeds and images", "seeds", "images", "nothing"]
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, in the unit of the values it was made from.

    mean       over seeds
    sd         of the seeds' values (n - 1); None for one seed
    n          seeds
    low, high  the interval; None where ``counts`` is nothing
    counts     what the interval says would be drawn anew
    """

    mean: float
    sd: float | None
    n: int
    low: float | None
    high: float | None
    counts: Counted


def of_images(correct: ArrayLike, level: float = LEVEL, resamples: int = 2000, seed: int = 0) -> Estimate:
    """From correct (seeds S, images M >= 2): whether each image was right, or any share in [0, 1]; a fraction.

    Two seeds and more: both counted, ``seed`` for the bootstrap. One seed, or all values equal: images alone, by Wilson's
    interval (1927). ValueError for other shapes and values.
    """
    values = np.asarray(correct, dtype=np.float64)
    if values.ndim != 2 or not len(values) or values.shape[1] < 2 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"correctness has to be (seeds, 2 or more images) in [0, 1], got {values.shape}")
    by_seed = values.mean(1)
    if len(values) == 1 or np.ptp(values) == 0:
        low, high = wilson(float(values.mean()), values.shape[1], level)
        return Estimate(float(values.mean()), _sd(by_seed), len(values), low, high, "images")
    low, high = two_way_interval(values, level, resamples, seed)
    return Estimate(float(values.mean()), _sd(by_seed), len(values), max(low, 0.0), min(high, 1.0), "seeds and images")


def of_parts(parts: ArrayLike, level: float = LEVEL, resamples: int = 2000, seed: int = 0) -> Estimate:
    """From what each image adds to a number (seeds S, images M >= 2), whose mean over images is the seed's number.

    Two seeds and more: both counted, ``seed`` for the bootstrap. One seed, or all of one: images alone, Student's t over the
    parts, which for pseudo-values is the jackknife's interval; none where no image moves the number, as at 0 and 1.
    ValueError for other shapes, or values that are not finite.
    """
    values = np.asarray(parts, dtype=np.float64)
    if values.ndim != 2 or not len(values) or values.shape[1] < 2 or not np.isfinite(values).all():
        raise ValueError(f"parts have to be finite, (seeds, 2 or more images), got {values.shape}")
    by_seed = values.mean(1)
    mean, sd, n = float(by_seed.mean()), _sd(by_seed), len(values)
    if n == 1 or np.ptp(values, axis=0).max() == 0:
        error = float(stats.sem(values.mean(0)))
        if error < 1e-12:
            return Estimate(mean, sd, n, None, None, "nothing")
        half = float(stats.t.isf((1 - level) / 2, values.shape[1] - 1)) * error
        return Estimate(mean, sd, n, mean - half, mean + half, "images")
    return Estimate(mean, sd, n, *two_way_interval(values, level, resamples, seed), "seeds and images")


def of_seeds(
    values: Sequence[float] | NDArray[np.floating], images: int | None = None, level: float = LEVEL
) -> Estimate:
    """From values (S,), one a seed, in any unit: Student's t over seeds.

    One seed: Wilson's interval where the value is a fraction of so many test ``images``, else none. ValueError for no
    values, or values that are not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise ValueError(f"an interval needs one finite value a seed, got {found}")
    mean, sd, n = float(found.mean()), _sd(found), len(found)
    if sd is None:
        low, high = wilson(mean, images, level) if images else (None, None)
        return Estimate(mean, None, 1, low, high, "images" if images else "nothing")
    half = float(stats.t.isf((1 - level) / 2, n - 1)) * sd / n**0.5
    return Estimate(mean, sd, n, mean - half, mean + half, "seeds")


def wilson(share: float, images: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval for a share in [0, 1] of so many images; ValueError for another share."""
    if not 0 <= share <= 1 or images < 1:
        raise ValueError(f"Wilson's interval is for a share in [0, 1] of 1 or more images, got {share} of {images}")
    z = float(stats.norm.isf((1 - level) / 2)) ** 2 / images
    middle = (share + z / 2) / (1 + z)
    half = (z * (share * (1 - share) + z / 4)) ** 0.5 / (1 + z)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _sd(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
