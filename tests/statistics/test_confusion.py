"""Confusions: scikit-learn's, and what no image of a class leaves open."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, recall_score

from pipelines.statistics.confusion import confusion, shares, worst


def answers(classes: int = 5, images: int = 200) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    label = draw.integers(0, classes, images)
    return label, np.where(draw.random(images) < 0.6, label, draw.integers(0, classes, images))


def test_counts_and_class_accuracies_are_scikit_learns():
    label, named = answers()
    counts = confusion(label.astype(np.uint8), named.astype(np.uint8), 5)
    assert np.array_equal(counts, confusion_matrix(label, named))
    np.testing.assert_allclose(np.diag(shares(counts)), recall_score(label, named, average=None))


def test_more_classes_than_a_byte_holds():
    label = np.arange(300, dtype=np.uint16)
    assert np.array_equal(confusion(label, label, 300), np.eye(300))


def test_a_class_without_images_has_no_accuracy_and_may_be_named():
    found = shares(confusion([0, 0, 2], [0, 1, 1], 3))
    assert np.isnan(found[1]).all()
    assert found[[0, 2]].tolist() == [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]
    assert worst(found, 5) == [(2, 1, 1.0), (0, 1, 0.5)]


def test_the_worst_are_those_of_a_plain_sort():
    found = shares(confusion(*answers(), 5))
    pairs = sorted(((found[i, j], i, j) for i in range(5) for j in range(5) if i != j), key=lambda each: -each[0])
    assert [share for *_, share in worst(found, 4)] == [share for share, *_ in pairs[:4]]
    assert worst(np.eye(5), 4) == []


@pytest.mark.parametrize(("label", "named"), [([0, 1], [0]), ([[0]], [[0]]), ([-1], [0]), ([0], [3])])
def test_what_are_no_classes_is_refused(label, named):
    with pytest.raises(ValueError, match=r"class"):
        confusion(label, named, 3)
