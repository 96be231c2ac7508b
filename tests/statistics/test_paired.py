"""Paired comparisons: against scipy's permutation and binomial tests, closed forms, and what they cover."""

import numpy as np
import pytest
from scipy import stats

from pipelines.statistics.paired import (
    by_seed,
    difference_of_images,
    difference_of_seeds,
    mcnemar,
    pairs_needed,
    sign_flip,
    smallest_p,
    student,
)


def mean(x, axis):
    return x.mean(axis)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 10])
def test_sign_flip_is_scipys_exact_permutation_test(n):
    for seed in range(5):
        d = np.random.default_rng(seed).normal(0.7, 1, n)
        if n == 1:
            expected = 1.0
        else:
            test = stats.permutation_test((d,), mean, permutation_type="samples", vectorized=True, n_resamples=2**n)
            expected = test.pvalue
        assert sign_flip(d).p == pytest.approx(expected)


def test_sign_flip_by_hand():
    assert sign_flip([1, 2, 3, 4, 5, 6]).p == 2 / 64
    assert sign_flip([-1, 2, 3, 4, 5, 6]).p == 4 / 64
    assert sign_flip([1, 1, 1, -1]).p == 10 / 16  # sums of 2 or more on either side: ties count
    assert sign_flip([0.1, 0.2, -0.3]).p == 1  # 0.1 + 0.2 is not 0.3 in floats
    assert sign_flip([0, 0, 0]).p == 1


def test_sign_flip_keeps_its_level_and_does_not_know_units_or_sides():
    generator = np.random.default_rng(0)
    p = np.array([sign_flip(generator.standard_t(3, 7)).p for _ in range(1000)])
    assert (p <= 0.05).mean() < 0.07
    d = generator.normal(1, 1, 8)
    assert sign_flip(d).p == sign_flip(-100 * d[::-1]).p


def test_many_pairs_are_drawn_and_near_the_t_test():
    d = np.random.default_rng(0).normal(0.4, 1, 30)
    assert sign_flip(d).p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.01)
    assert sign_flip(d) == sign_flip(d)
    assert sign_flip(np.ones(30)).p < 1e-4


def test_six_pairs_are_the_fewest_that_reach_five_percent():
    assert pairs_needed(0.05) == 6
    assert [smallest_p(n) for n in (1, 2, 3, 5, 6)] == [1, 0.5, 0.25, 0.0625, 0.03125]
    for n in (3, 6):
        assert sign_flip(np.arange(1, n + 1)).p == sign_flip(np.arange(1, n + 1)).smallest == smallest_p(n)
    for alpha in (0.3, 0.1, 0.05, 0.03125, 0.01, 0.001):
        assert smallest_p(pairs_needed(alpha)) <= alpha < smallest_p(pairs_needed(alpha) - 1)
    with pytest.raises(ValueError, match="alpha"):
        pairs_needed(0)


def test_mcnemar_of_one_seed_is_the_binomial_test_of_the_discordant():
    a = np.array([[1, 1, 1, 1, 0, 0, 0, 1, 1, 0]])
    b = np.array([[0, 0, 0, 0, 1, 0, 0, 1, 0, 0]])
    assert mcnemar(a, b) == (pytest.approx(stats.binomtest(5, 6).pvalue), 5, 1)
    assert mcnemar(a, a).p == 1
    assert mcnemar(b, a)[1:] == (1, 5)


def test_seeds_do_not_multiply_images():
    """The same six predictions again and again are no more evidence than once."""
    generator = np.random.default_rng(0)
    a, b = generator.random((1, 80)) < 0.8, generator.random((1, 80)) < 0.7
    assert mcnemar(np.repeat(a, 6, 0), np.repeat(b, 6, 0)) == mcnemar(a, b)
    split = mcnemar([[1, 0, 1], [0, 1, 1]], [[0, 1, 0], [1, 0, 1]])
    assert (split.wins, split.losses) == (1, 0)  # images 0 and 1: one seed each way


def test_differences_of_seeds():
    a, b = np.array([81.0, 84, 79, 83]), np.array([80.0, 82, 80, 80])
    found = difference_of_seeds(a, b)
    assert found.estimate.mean == pytest.approx(1.25)
    assert found.effect == pytest.approx(1.25 / np.std(a - b, ddof=1))
    assert (found.estimate.low, found.estimate.high) == pytest.approx(stats.ttest_rel(a, b).confidence_interval(0.95))
    assert found.test == sign_flip(a - b)
    assert found.images is None
    assert difference_of_seeds([1.0], [2.0]).effect is None


def test_pairing_takes_out_what_both_share():
    generator = np.random.default_rng(0)
    hard = generator.standard_normal(400)
    seed = 0.3 * generator.standard_normal((6, 1))
    noise = 0.1 * generator.standard_normal((2, 6, 400))
    a, b = (shift + hard + seed + part > -1 for shift, part in zip((0.1, 0.0), noise))
    paired, mixed = difference_of_images(a, b), difference_of_images(a, b[:, generator.permutation(400)])
    assert paired.estimate.high - paired.estimate.low < 0.5 * (mixed.estimate.high - mixed.estimate.low)
    assert paired.estimate.mean == pytest.approx((a.mean(1) - b.mean(1)).mean())
    swapped = difference_of_images(b, a)
    assert swapped.estimate.mean == pytest.approx(-paired.estimate.mean)
    assert swapped.test == paired.test


def test_interval_of_a_difference_covers():
    generator, truth = np.random.default_rng(0), stats.norm.cdf(1.1 / 1.5) - stats.norm.cdf(1.0 / 1.5)
    covered = 0
    for _ in range(200):
        hard, noise = generator.standard_normal(150), generator.standard_normal((2, 6, 150))
        own = 0.5 * generator.standard_normal((2, 6, 1))
        a, b = (middle + hard + s + part > 0 for middle, s, part in zip((1.1, 1.0), own, noise))
        found = difference_of_images(a, b, resamples=300).estimate
        covered += found.low <= truth <= found.high
    assert 0.90 <= covered / 200 <= 0.99


def test_one_seed_compares_images_alone():
    generator = np.random.default_rng(0)
    a, b = generator.random((1, 500)) < 0.8, generator.random((1, 500)) < 0.7
    found = difference_of_images(a, b)
    d = a[0].astype(float) - b[0]
    assert (found.estimate.low, found.estimate.high) == pytest.approx(
        stats.t.interval(0.95, 499, d.mean(), stats.sem(d))
    )
    assert (found.estimate.counts, found.test.p, found.estimate.sd) == ("images", 1, None)


def test_pairs_are_made_by_seed():
    a, b = by_seed({3: 1.0, 0: 2.0, 7: 3.0}, {0: 5.0, 3: 6.0, 9: 7.0})
    assert (a.tolist(), b.tolist()) == ([2.0, 1.0], [5.0, 6.0])
    a, b = by_seed({1: np.array([True, False])}, {1: np.array([True, True])})
    assert a.shape == b.shape == (1, 2)
    assert len(by_seed({1: 1.0}, {2: 1.0})[0]) == 0


def test_what_is_no_pair_is_refused():
    for wrong in (([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]])):
        with pytest.raises(ValueError, match="pairs have to be"):
            difference_of_seeds(*wrong)
    with pytest.raises(ValueError, match="one finite difference"):
        sign_flip([np.nan])
    with pytest.raises(ValueError, match="one test image"):
        difference_of_images([[1.0]], [[0.0]])


def test_student_is_scipys_paired_t_test_and_has_an_answer_where_nothing_varies():
    a, b = np.random.default_rng(0).normal(size=(2, 6))
    assert student(a - b) == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert [student(values) for values in ([0.0] * 3, [0.3] * 3, [0.3])] == [1.0, 0.0, 1.0]
