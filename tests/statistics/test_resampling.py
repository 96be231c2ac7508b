"""The two-way bootstrap: closed forms, scipy's one-way bootstrap, and what its intervals cover."""

import time

import numpy as np
import pytest
from scipy import stats

from pipelines.statistics import resampling
from pipelines.statistics.resampling import distinct_columns, resampled_means, two_way_interval, two_way_spread


def thresholds(generator: np.random.Generator, S: int, M: int, middle: float, by_seed: float, by_image: float):
    """Right or wrong by a normal threshold model, and the true accuracy over all seeds and images."""
    seed, image = generator.standard_normal((S, 1)), generator.standard_normal((1, M))
    value = middle + by_seed * seed + by_image * image + generator.standard_normal((S, M))
    return (value > 0).astype(float), stats.norm.cdf(middle / np.sqrt(1 + by_seed**2 + by_image**2))


@pytest.mark.parametrize(
    ("S", "M", "middle", "by_seed", "by_image"),
    [(6, 150, 1.0, 0.4, 0.5), (6, 150, 1.0, 0.02, 2.0), (6, 150, 0.0, 0.0, 0.0), (3, 200, 2.0, 0.2, 1.0)],
    ids=["seeds matter", "images matter", "neither", "three seeds"],
)
def test_nominal_95_percent_covers_90_to_99(S, M, middle, by_seed, by_image):
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        values, truth = thresholds(generator, S, M, middle, by_seed, by_image)
        low, high = two_way_interval(values, resamples=400)
        covered += low <= truth <= high
    assert 0.90 <= covered / 300 <= 0.99


def test_spread_of_plain_sums_is_that_of_their_parts():
    """value = seed + image: the variance of the mean is var(seed) / S + var(image) / M, and the rest is 0."""
    seed, image = np.array([0.0, 1.0, 5.0]), np.array([2.0, 3.0, 9.0, 4.0])
    found = two_way_spread(seed[:, None] + image)
    A, B = seed.var(ddof=1) / 3, image.var(ddof=1) / 4
    assert found.error == pytest.approx((A + B) ** 0.5)
    assert found.freedom == pytest.approx((A + B) ** 2 / (A**2 / 2 + B**2 / 3))


def test_spread_without_a_part_has_the_freedom_of_the_other():
    seeds_only = two_way_spread(np.array([[0.0] * 50, [1.0] * 50, [5.0] * 50]))
    assert seeds_only.freedom == 2
    images_only = two_way_spread(np.tile(np.arange(10.0), (3, 1)))
    assert images_only.freedom == 9
    assert images_only.error == pytest.approx(stats.sem(np.arange(10)))


def test_means_are_those_of_rows_and_columns_drawn_one_by_one():
    generator = np.random.default_rng(0)
    values = generator.integers(0, 2, (4, 30)).astype(float)
    rows, columns = generator.integers(4, size=(20_000, 4)), generator.integers(30, size=(20_000, 30))
    slow = np.array([values[np.ix_(r, c)].mean() for r, c in zip(rows, columns)])
    quick = resampled_means(values, 20_000, np.random.default_rng(1))
    assert quick.mean() == pytest.approx(slow.mean(), abs=0.002)
    assert quick.std() == pytest.approx(slow.std(), rel=0.03)
    assert np.quantile(quick, [0.05, 0.5, 0.95]) == pytest.approx(np.quantile(slow, [0.05, 0.5, 0.95]), abs=0.01)


def test_equal_seeds_leave_scipys_bootstrap_over_images():
    row = np.random.default_rng(0).random(300) ** 3
    ours = two_way_interval(np.stack([row, row]), resamples=20_000)
    theirs = stats.bootstrap((row,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
    assert ours == pytest.approx(theirs.confidence_interval, abs=0.03 * (ours[1] - ours[0]))


def test_order_of_images_unit_and_offset_do_not_matter():
    values, _ = thresholds(np.random.default_rng(0), 6, 200, 1.0, 0.2, 1.0)
    first = np.array(two_way_interval(values))
    shuffled = values[:, np.random.default_rng(1).permutation(200)]
    assert np.allclose(two_way_interval(shuffled), first, rtol=0, atol=1e-12)
    assert np.allclose(two_way_interval(100 * values - 7), 100 * first - 7)
    assert two_way_interval(values) == two_way_interval(values)
    assert two_way_interval(values, seed=1) != two_way_interval(values)


def test_a_wider_level_is_wider_and_equal_values_have_no_width():
    values, _ = thresholds(np.random.default_rng(0), 6, 200, 1.0, 0.2, 1.0)
    narrow, wide = two_way_interval(values, 0.8), two_way_interval(values, 0.99)
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]
    assert two_way_interval(np.full((3, 5), 0.25)) == (0.25, 0.25)


def test_columns_are_counted_whatever_their_kind():
    values = np.random.default_rng(0).integers(-1, 2, (3, 500)).astype(float)
    columns, times = distinct_columns(values)
    expected, counts = np.unique(values, axis=1, return_counts=True)
    assert sorted(zip(columns.T.tolist(), times.tolist())) == sorted(zip(expected.T.tolist(), counts.tolist()))
    many = np.random.default_rng(0).random((8, 400))  # too many combinations to number
    columns, times = distinct_columns(many)
    assert sorted(columns.T.tolist()) == sorted(many.T.tolist())
    assert (times == 1).all()


def test_six_seeds_of_ten_thousand_images_are_quick():
    values, _ = thresholds(np.random.default_rng(0), 6, 10_000, 1.0, 0.05, 1.0)
    started = time.process_time()
    two_way_interval(values)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("wrong", [np.ones(5), np.ones((1, 5)), np.ones((5, 1)), np.full((2, 2), np.nan)])
def test_what_has_no_two_ways_is_refused(wrong):
    with pytest.raises(ValueError, match="two-way interval needs"):
        two_way_interval(wrong)


def test_images_of_many_kinds_are_drawn_as_those_of_few(monkeypatch):
    values = np.random.default_rng(0).random((3, 300)).round(2)
    drawn = {}
    for many in (1, 10_000):
        monkeypatch.setattr(resampling, "MANY", many)
        drawn[many] = resampled_means(values, 4000, np.random.default_rng(1))
    assert not np.array_equal(*drawn.values())
    assert [each.mean() for each in drawn.values()] == pytest.approx([values.mean()] * 2, abs=0.002)
    assert drawn[1].std() == pytest.approx(drawn[10_000].std(), rel=0.05)
