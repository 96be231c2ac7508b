"""What each image adds to a number, against counting the number again without it, and a direct bootstrap."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, recall_score

from pipelines.statistics.intervals import of_parts
from pipelines.statistics.jackknife import (
    mean_without,
    per_class_without,
    precision_without,
    pseudo_values,
    ratio_without,
)


def scored(M: int, seed: int = 0, ties: bool = False):
    draw = np.random.default_rng(seed)
    target = draw.integers(-1, 2, M)
    score = draw.normal(size=M) + target
    return (score.round() if ties else score), target


def precision(score, target):
    asked = target >= 0
    return average_precision_score(target[asked], score[asked])


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_without_each_image_is_scikit_learns(ties):
    score, target = scored(40, ties=ties)
    whole, without = precision_without(score, target)
    assert whole == pytest.approx(precision(score, target))
    rest = [precision(np.delete(score, i), np.delete(target, i)) for i in range(40)]
    assert without == pytest.approx(rest)


def test_without_its_only_right_image_a_class_has_no_precision_and_the_mean_is_of_the_others():
    whole, without = precision_without([3.0, 2.0, 1.0], [0, 1, 0])
    assert whole == pytest.approx(0.5)
    assert without == pytest.approx([1.0, np.nan, 0.5], nan_ok=True)
    mean, left = mean_without([whole, 0.25], np.stack([without, [0.25] * 3], axis=1))
    assert mean == pytest.approx(0.375)
    assert left == pytest.approx([0.625, 0.25, 0.375])


def test_the_mean_over_classes_without_each_image_is_scikit_learns():
    draw = np.random.default_rng(0)
    label, said = np.append(draw.integers(0, 4, 30), 7), draw.integers(0, 4, 31)  # of class 7 there is one image
    whole, without = per_class_without(said == label, label)
    assert whole == pytest.approx(recall_score(label, said, average="macro", labels=np.unique(label)))
    for i in range(31):
        left, named = np.delete(label, i), np.delete(said, i)
        assert without[i] == pytest.approx(recall_score(left, named, average="macro", labels=np.unique(left)))
    assert np.isnan(per_class_without([1], [0])[1]).all()


def test_pseudo_values_of_a_mean_are_the_values():
    values = np.random.default_rng(0).normal(size=30)
    without = (values.sum() - values) / 29
    assert pseudo_values(values.mean(), without) == pytest.approx(values)


def test_a_ratio_without_an_image_and_nothing_over_nothing():
    whole, without = ratio_without([[1, 0], [2, 3]], [[2, 0], [4, 4]])
    assert whole == pytest.approx([0.5, 0.75])
    assert without == pytest.approx(np.array([[0.5, 0.75], [0.5, np.nan]]), nan_ok=True)
    assert pseudo_values(0.5, [0.5, np.nan]) == pytest.approx([0.5, 0.5])


def intersections(M: int, C: int = 5):
    """Pixels of each image and class that are right, and that are or were named so; images differ in size and in difficulty."""
    draw = np.random.default_rng(2)
    either = draw.integers(1, 400, (M, C)) * (draw.random((M, C)) < 0.6)
    return draw.binomial(either, draw.beta(4, 2, (M, 1))), either


@pytest.mark.parametrize("number", ["map", "miou"])
def test_the_interval_of_one_seed_agrees_with_a_direct_bootstrap_of_images(number):
    M, draw = 400, np.random.default_rng(1)
    if number == "map":
        columns = [scored(M, seed) for seed in range(4)]
        found = [precision_without(*column) for column in columns]
        parts = pseudo_values(*mean_without([w for w, _ in found], np.stack([left for _, left in found], axis=1)))

        def again(rows):
            return np.mean([precision(score[rows], target[rows]) for score, target in columns])
    else:
        right, either = intersections(M)
        parts = pseudo_values(*mean_without(*ratio_without(right, either)))

        def again(rows):
            return (right[rows].sum(0) / either[rows].sum(0)).mean()

    direct = [again(draw.integers(0, M, M)) for _ in range(500)]
    found = of_parts(parts[None])
    assert found.mean == pytest.approx(again(np.arange(M)))
    assert found.counts == "images"
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.std(direct), rel=0.12)
    assert [found.low, found.high] == pytest.approx(np.quantile(direct, [0.025, 0.975]), abs=0.3 * np.std(direct) * 2)


def test_several_seeds_count_both_and_equal_ones_images_alone():
    right, either = intersections(200)
    parts = pseudo_values(*mean_without(*ratio_without(right, either)))
    alone = of_parts(parts[None])
    assert [alone.low, alone.high] == pytest.approx(stats.t.interval(0.95, 199, parts.mean(), stats.sem(parts)))
    assert of_parts(np.stack([parts, parts])).counts == "images"
    several = of_parts(np.stack([parts - 0.05, parts, parts + 0.05]))
    assert (several.counts, several.n, several.sd) == ("seeds and images", 3, pytest.approx(0.05))
    assert several.high - several.low > alone.high - alone.low
    assert of_parts(np.ones((1, 9))).counts == "nothing"
    with pytest.raises(ValueError, match="finite"):
        of_parts([[0.5, np.nan]])
