"""Two rows compared on the seeds and test images they share.

Pairing takes out what both have in common: seed s of both rows saw the same initial weights, orders and held-out slice where
the study shares them, and every image is as hard for one as for the other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from pipelines.statistics.intervals import LEVEL, Counted, Estimate, of_seeds
from pipelines.statistics.resampling import two_way_interval

EXACT = 16
"""Most pairs of which all 2^n sign patterns are looked at (65,536)."""


class SignFlip(NamedTuple):
    """p of the test over n pairs, and the smallest p that so many pairs can give."""

    p: float
    n: int
    smallest: float


class Discordant(NamedTuple):
    """p of McNemar's test, and the images on which the first row (wins) or the second (losses) did better."""

    p: float
    wins: int
    losses: int


@dataclass(frozen=True)
class Difference:
    """First row minus second, paired.

    estimate  mean, sd over seeds, interval
    test      over seeds: would it come out again with other seeds?
    images    over test images, for these seeds; None where nothing is known of single images but what each adds to a number
    """

    estimate: Estimate
    test: SignFlip
    images: Discordant | None

    @property
    def effect(self) -> float | None:
        """The mean over the sd of the pairs (Cohen's d for pairs); None for one pair or no spread."""
        return self.estimate.mean / self.estimate.sd if self.estimate.sd else None


def by_seed(first: Mapping[int, ArrayLike], second: Mapping[int, ArrayLike]) -> tuple[NDArray, NDArray]:
    """Values of the seeds that both have, stacked in the order of seeds; two empty arrays where they share none."""
    seeds = sorted(set(first) & set(second))
    return np.array([first[seed] for seed in seeds]), np.array([second[seed] for seed in seeds])


def difference_of_seeds(first: ArrayLike, second: ArrayLike, level: float = LEVEL) -> Difference:
    """Of values (S,), row i of both from the same seed, in any unit; the interval counts seeds. ValueError for other shapes."""
    a, b = _alike(first, second, 1)
    return Difference(of_seeds(a - b, level=level), sign_flip(a - b), None)


def difference_of_images(
    first: ArrayLike, second: ArrayLike, level: float = LEVEL, resamples: int = 2000, seed: int = 0
) -> Difference:
    """Of correctness (seeds S, images M), in [0, 1], or of what each image adds to a number (see ``jackknife``); row i of both
    from the same seed, column j the same image.

    Two seeds and more: the interval is the two-way bootstrap of the differences, seeds and images drawn together for both
    rows. One seed: images alone, by Student's t. ValueError for other shapes, and fewer than two images.
    """
    a, b = _alike(first, second, 2)
    values = a - b
    by_pair = values.mean(1)
    mean, sd = float(values.mean()), float(by_pair.std(ddof=1)) if len(values) > 1 else None
    counts: Counted = "images" if sd is None else "seeds and images"
    if values.shape[1] < 2:
        raise ValueError("one test image is too few to compare two rows on")
    if sd is None:
        half = float(stats.t.isf((1 - level) / 2, values.shape[1] - 1) * stats.sem(values[0]))
        low, high = mean - half, mean + half
    else:
        low, high = two_way_interval(values, level, resamples, seed)
    estimate = Estimate(mean, sd, len(values), max(low, -1.0), min(high, 1.0), counts)
    shares = all(0 <= side.min() <= side.max() <= 1 for side in (a, b))
    return Difference(estimate, sign_flip(by_pair), mcnemar(a, b) if shares else None)


def sign_flip(differences: ArrayLike) -> SignFlip:
    """Exact test that paired differences (n,), in any unit, are symmetric about 0 (Fisher 1935, chapter III).

    p is the share of the 2^n sign patterns whose mean is at least as far from 0 as the observed one, on either side, ties
    counted. Over 16 pairs, of 65,536 patterns drawn with a fixed seed. ValueError for none, or values that are not finite.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if values.ndim != 1 or not n or not np.isfinite(values).all():
        raise ValueError(f"a paired test needs one finite difference a seed, got {values}")
    if n > EXACT:
        drawn = np.random.default_rng(0).integers(0, 2, size=(2**EXACT, n))
    else:
        drawn = np.arange(2**n)[:, None] >> np.arange(n) & 1
    means = np.abs((1 - 2 * drawn) @ values)
    far = means >= abs(values.sum()) - 1e-12 * np.abs(values).sum()
    p = (1 + far.sum()) / (1 + len(far)) if n > EXACT else far.mean()
    return SignFlip(float(p), n, smallest_p(n))


def student(differences: ArrayLike) -> float:
    """Two-sided p of Student's t test that paired differences (n,) have mean 0, each taken as a normal draw.

    Unlike the exact test it can be small with few pairs, as a correction for many comparisons asks. 1 for one pair, and where
    all are 0; 0 where all are another same number.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not values.any():
        return 1.0
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return 0.0
    return float(stats.ttest_1samp(values, 0.0).pvalue)


def smallest_p(n: int) -> float:
    """The smallest two-sided p of the sign-flip test over n pairs: 2 / 2^n."""
    return min(1.0, 2.0 ** (1 - n))


def pairs_needed(alpha: float = 0.05) -> int:
    """The fewest pairs with which the sign-flip test can reach p <= alpha: six for 0.05."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha has to lie between 0 and 1, got {alpha}")
    return math.ceil(1 + math.log2(1 / alpha))


def mcnemar(first: ArrayLike, second: ArrayLike) -> Discordant:
    """McNemar's exact test of two correctness matrices (seeds S, images M), every image counted once.

    An image is a win where the first row is right for more seeds than the second, a loss where for fewer, else no part of
    it; two-sided binomial at 1/2. For one seed that is McNemar's test itself; pooling seeds as so many images would count
    each image S times. It asks about other images, for these seeds.
    """
    a, b = _alike(first, second, 2)
    sides = np.sign(np.round(a.sum(0) - b.sum(0), 9))
    wins, losses = int((sides > 0).sum()), int((sides < 0).sum())
    p = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    return Discordant(float(p), wins, losses)


def _alike(first: ArrayLike, second: ArrayLike, dimensions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != dimensions or not a.size:
        raise ValueError(
            f"pairs have to be two arrays of one shape with {dimensions} axes, got {a.shape} and {b.shape}"
        )
    return a, b
