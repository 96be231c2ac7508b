"""What the interval of a cell counts, against scipy's."""

import numpy as np
import pytest
from scipy import stats

from pipelines.statistics.intervals import Estimate, of_images, of_seeds, wilson
from pipelines.statistics.resampling import two_way_interval


def test_seeds_alone_have_students_interval():
    values = [0.81, 0.84, 0.79, 0.83]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    found = of_seeds(values)
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.mean, found.sd) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert (found.n, found.counts) == (4, "seeds")
    percent = of_seeds([100 * value for value in values])
    assert percent.low == pytest.approx(100 * found.low)


def test_one_seed_has_wilsons_interval_or_none():
    expected = stats.binomtest(321, 360).proportion_ci(method="wilson")
    found = of_seeds([321 / 360], images=360)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.sd, found.n, found.counts) == (None, 1, "images")
    assert of_seeds([91.2]) == Estimate(91.2, None, 1, None, None, "nothing")


def test_images_of_one_seed_are_its_share():
    right = np.random.default_rng(0).random((1, 500)) < 0.9
    by_size = of_seeds([right.mean()], images=500)
    assert of_images(right) == by_size


def test_seeds_and_images_are_the_two_way_bootstrap():
    right = np.random.default_rng(0).random((6, 300)) < 0.7
    found = of_images(right, seed=3)
    assert (found.low, found.high) == two_way_interval(right.astype(float), seed=3)
    assert (found.mean, found.n, found.counts) == (right.mean(), 6, "seeds and images")
    assert found.sd == pytest.approx(right.mean(1).std(ddof=1))


def test_images_widen_what_seeds_alone_would_say():
    """Seeds that agree on every image say nothing of other images."""
    right = np.tile(np.arange(200) < 150, (6, 1))
    by_seeds, by_both = of_seeds(right.mean(1)), of_images(right)
    assert by_seeds.high - by_seeds.low == pytest.approx(0)
    assert by_both.high - by_both.low == pytest.approx(np.diff(wilson(0.75, 200))[0], rel=0.1)


def test_all_right_is_not_certain_and_no_interval_leaves_the_shares():
    perfect = of_images(np.ones((6, 100), dtype=bool))
    assert perfect.counts == "images"
    assert perfect.high == 1
    assert perfect.low == pytest.approx(100 / (100 + stats.norm.isf(0.025) ** 2))
    nearly = np.ones((6, 100), dtype=bool)
    nearly[0, 0] = False
    found = of_images(nearly)
    assert 0.9 < found.low < found.mean < found.high <= 1


def test_more_of_either_is_narrower():
    right = np.random.default_rng(0).random((12, 2000)) < 0.7
    whole, images, seeds = (of_images(part) for part in (right, right[:, :500], right[:3]))
    assert whole.high - whole.low < images.high - images.low
    assert whole.high - whole.low < seeds.high - seeds.low


@pytest.mark.parametrize("wrong", [np.ones(5), np.ones((0, 5)), np.ones((2, 1)), np.full((2, 3), 1.5)])
def test_what_is_no_correctness_is_refused(wrong):
    with pytest.raises(ValueError, match="correctness has to be"):
        of_images(wrong)


def test_values_that_are_no_values_are_refused():
    for wrong in ([], [np.nan, 1.0], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="one finite value a seed"):
            of_seeds(wrong)
    for share, images in ((1.2, 10), (0.5, 0)):
        with pytest.raises(ValueError, match="Wilson"):
            wilson(share, images)
