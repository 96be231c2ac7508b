"""Stratified choices: exact totals, each class's share, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.strata import equal_per_class, stratified_share

label_lists = st.lists(st.integers(-1, 5), min_size=1, max_size=60).map(np.array)


@given(label_lists, st.floats(0, 1))
def test_a_share_has_the_exact_total_and_every_class_within_one(labels: np.ndarray, share: float) -> None:
    chosen = stratified_share(labels, share, 0, "x")
    assert len(chosen) == round(share * len(labels))
    assert np.all(np.diff(chosen) > 0)
    for label in np.unique(labels):
        assert abs((labels[chosen] == label).sum() - share * (labels == label).sum()) < 1


@given(label_lists, st.integers(1, 80))
def test_a_limit_takes_as_many_of_each_class_where_it_can(labels: np.ndarray, limit: int) -> None:
    chosen = equal_per_class(labels, limit, 0, "x")
    assert len(set(chosen.tolist())) == len(chosen) == min(limit, len(labels))
    counts = {label: (labels[chosen] == label).sum() for label in np.unique(labels)}
    most = max(counts.values())
    for label, count in counts.items():
        assert count >= most - 1 or count == (labels == label).sum()


@pytest.mark.parametrize("choose", [stratified_share, equal_per_class])
def test_the_seed_and_the_purpose_decide(choose) -> None:
    labels = np.arange(1000) % 4
    amount = 0.2 if choose is stratified_share else 200
    first = choose(labels, amount, 0, "x")
    assert np.array_equal(first, choose(labels, amount, 0, "x"))
    assert not np.array_equal(first, choose(labels, amount, 1, "x"))
    assert not np.array_equal(first, choose(labels, amount, 0, "y"))
