"""Ranks: correlations by hand, ties, and methods that were not measured."""

import numpy as np
import pytest
from scipy import stats

from pipelines.statistics.ranks import agreement, mean_ranks


def test_agreement_by_hand():
    scores = [[0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2], [0.1, 0.2, 0.3, 0.4], [0.9, 0.7, 0.8, 0.6]]
    found = agreement(scores)
    assert found.kendall[0].tolist() == pytest.approx([1, 1, -1, 4 / 6])  # one pair of six the other way
    assert found.spearman[0].tolist() == pytest.approx([1, 1, -1, 0.8])  # 1 - 6 * 2 / (4 * 15)
    assert np.array_equal(found.kendall, found.kendall.T)
    assert (found.shared == 4).all()


def test_only_the_order_matters():
    scores = np.random.default_rng(0).random((3, 8))
    assert np.allclose(agreement(scores).kendall, agreement(100 * scores**3).kendall)
    assert np.allclose(mean_ranks(scores), mean_ranks(100 * scores**3))


def test_what_was_not_measured_is_left_out():
    scores = np.random.default_rng(0).random((2, 6))
    scores[0, 1] = np.nan
    found = agreement(scores)
    rest = [0, 2, 3, 4, 5]
    assert found.kendall[0, 1] == pytest.approx(stats.kendalltau(scores[0, rest], scores[1, rest]).statistic)
    assert found.shared.tolist() == [[5, 5], [5, 6]]
    scores[0, :4] = np.nan
    assert np.isnan(agreement(scores).kendall[0, 1])
    assert np.isnan(agreement([[1.0, 1, 1], [1, 2, 3]]).spearman[0, 1])  # one that ranks all alike has no order


def test_mean_ranks_with_ties_and_gaps():
    assert mean_ranks([[0.9, 0.9, 0.1], [0.5, 0.6, 0.7]]).tolist() == [2.25, 1.75, 2]
    found = mean_ranks([[0.9, np.nan, 0.1], [0.5, 0.6, 0.7]])
    assert found[[0, 2]].tolist() == [1.5, 1.5]
    assert np.isnan(found[1])
    assert np.isnan(mean_ranks([[np.nan]])).all()


def test_mean_ranks_add_up():
    scores = np.random.default_rng(0).integers(0, 4, (5, 7))
    assert mean_ranks(scores).sum() == pytest.approx(7 * 8 / 2)


def test_other_shapes_are_refused():
    for function in (agreement, mean_ranks):
        with pytest.raises(ValueError, match="protocols, methods"):
            function([1.0, 2.0])
