"""Floors: by hand, against scikit-learn's dummy classifier, and by chance itself."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from pipelines.evaluation.floors import chance, majority


def test_chance_is_what_guessing_gives():
    assert chance(10) == {"top1": 0.1, "top5": 0.5, "mean_per_class": 0.1}
    assert chance(3) == {"top1": 1 / 3, "top5": 1, "mean_per_class": 1 / 3}


@pytest.mark.parametrize("seed", range(3))
def test_majority_is_scikit_learns_dummy(seed):
    generator = np.random.default_rng(seed)
    train, test = generator.choice(4, 300, p=[0.1, 0.2, 0.3, 0.4]), generator.choice(4, 100)
    dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((300, 1)), train)
    found = majority(train, test)
    assert found["top1"] == pytest.approx(dummy.score(np.zeros((100, 1)), test))
    assert found["top5"] == 1
    assert found["mean_per_class"] == pytest.approx(1 / 4)


def test_the_five_most_frequent_are_named():
    train = np.repeat(np.arange(8), [8, 7, 6, 5, 4, 3, 2, 1])
    assert majority(train, np.arange(8))["top5"] == 5 / 8
    assert majority(train, [0, 0, 0, 7])["top1"] == 0.75


def test_ties_are_drawn_by_lot():
    balanced = np.arange(30) % 10
    assert majority(balanced, balanced) == pytest.approx(chance(10))
    assert majority([0, 1, 1, 2, 2], [1, 1, 1, 0])["top1"] == pytest.approx(3 / 8)  # half the time 3 of 4, else none


def test_a_renamed_class_changes_nothing():
    generator = np.random.default_rng(0)
    train, test, names = generator.integers(0, 7, 50), generator.integers(0, 7, 60), generator.permutation(7)
    assert majority(names[train], names[test]) == pytest.approx(majority(train, test))


def test_a_class_that_train_lacks_counts():
    assert majority([0, 0, 1], [2, 2, 0, 0])["top1"] == 0.5
    assert majority([0, 0, 1], [2, 2, 0, 0])["mean_per_class"] == 0.5


def test_what_is_no_label_is_refused():
    for train, test in (([], [0]), ([0], []), ([-1], [0]), ([0.5], [0]), ([[0]], [0])):
        with pytest.raises(ValueError, match="whole numbers from 0"):
            majority(train, test)
    with pytest.raises(ValueError, match="needs a class"):
        chance(0)
