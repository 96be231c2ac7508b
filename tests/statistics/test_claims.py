"""Verdicts: each relation on differences whose answer is plain, and none under six pairs."""

import numpy as np
import pytest

from pipelines.statistics.claims import judge
from pipelines.statistics.paired import sign_flip
from pipelines.statistics.power import seeds_needed

SPREAD = np.array([-0.3, -0.2, -0.1, 0.1, 0.2, 0.3])


def verdict(mean, relation, margin=0.0, scale=1.0, n=6):
    """Of pairs of n seeds whose differences have this mean, in points."""
    base = np.linspace(70, 72, n)
    return judge(base + mean + scale * SPREAD[:n], base, relation, margin)


@pytest.mark.parametrize(
    ("mean", "relation", "margin", "decision"),
    [
        (1.0, "greater", 0.0, "supported"),
        (-1.0, "greater", 0.0, "contradicted"),
        (0.05, "greater", 0.0, "not settled"),
        (1.0, "greater", 2.0, "contradicted"),
        (1.0, "greater", 1.0, "not settled"),
        (-1.0, "less", 0.0, "supported"),
        (1.0, "less", 0.0, "contradicted"),
        (-1.0, "less", 2.0, "contradicted"),
        (0.0, "at_least", 1.0, "supported"),
        (-2.0, "at_least", 1.0, "contradicted"),
        (-1.0, "at_least", 1.0, "not settled"),
        (5.0, "at_least", 0.0, "supported"),
        (0.1, "equivalent", 1.0, "supported"),
        (2.0, "equivalent", 1.0, "contradicted"),
        (-2.0, "equivalent", 1.0, "contradicted"),
        (0.9, "equivalent", 1.0, "not settled"),
    ],
)
def test_decisions(mean, relation, margin, decision):
    found = verdict(mean, relation, margin)
    assert found.decision == decision
    assert (found.p <= 0.05) == (decision != "not settled")


@pytest.mark.parametrize("relation", ["greater", "less", "at_least", "equivalent"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_no_verdict_under_six_pairs(relation, n):
    for mean in (-50.0, 0.0, 50.0):
        found = verdict(mean, relation, margin=1.0, n=n)
        assert found.decision == "not enough runs"
        assert found.needed is None or found.needed >= 6
        assert found.missing is None or found.missing >= 6 - n


def test_needed_is_for_the_distance_and_spread_seen():
    found = verdict(0.1, "greater", n=5)
    sd = np.std(SPREAD[:5], ddof=1)
    assert found.needed == seeds_needed(found.difference.estimate.mean, sd)
    assert found.missing == found.needed - 5
    near = verdict(0.9, "equivalent", margin=1.0)
    assert near.needed == seeds_needed(0.1, np.std(SPREAD, ddof=1))
    assert judge([1.0] * 5, [1.0] * 5, "greater").needed is None  # nothing seen: no number of seeds would show it


def test_equal_means_no_worse_both_ways_and_unequal_means_better_one_way():
    """Two one-sided tests: each bound by itself is a claim of another relation."""
    generator, seen = np.random.default_rng(0), set()
    for shift in np.linspace(-2, 2, 21):
        a, b = generator.normal(shift, 0.5, 8), generator.normal(0, 0.5, 8)
        both = [judge(a, b, "at_least", 1.0).decision, judge(b, a, "at_least", 1.0).decision]
        either = [judge(a, b, "greater", 1.0).decision, judge(b, a, "greater", 1.0).decision]
        found = judge(a, b, "equivalent", 1.0).decision
        assert (found == "supported") == (both == ["supported"] * 2)
        assert (found == "contradicted") == ("supported" in either)
        seen.add(found)
    assert seen == {"supported", "contradicted", "not settled"}


def test_swapping_rows_turns_greater_into_less():
    generator = np.random.default_rng(0)
    for shift in (-1.0, 0.0, 1.0):
        a, b = generator.normal(shift, 1, 8), generator.normal(0, 0.2, 8)
        one, other = judge(a, b, "greater", 0.1), judge(b, a, "less", 0.1)
        assert (one.decision, one.p, one.needed) == (other.decision, other.p, other.needed)


def test_the_effect_size_and_the_tests_are_those_of_the_difference():
    found = verdict(1.0, "greater", margin=0.5)
    assert found.difference.effect == pytest.approx(1 / np.std(SPREAD, ddof=1))
    assert found.p == sign_flip(0.5 + SPREAD).p
    assert found.difference.test.p == sign_flip(1 + SPREAD).p


def test_few_images_keep_a_verdict_back_that_seeds_alone_would_give():
    """Eight seeds of which each is right on the same one image more: certain for seeds, nothing for other images."""
    a, b = np.zeros((8, 30), dtype=bool), np.zeros((8, 30), dtype=bool)
    a[:, :20], b[:, :19] = True, True
    generator = np.random.default_rng(0)
    for seed in range(8):
        a[seed, generator.integers(20, 30)] = True
        b[seed, generator.integers(20, 30)] = True
    assert judge(a.mean(1), b.mean(1), "greater").decision == "supported"
    found = judge(a, b, "greater")
    assert found.decision == "not settled"
    assert found.difference.estimate.counts == "seeds and images"


def test_images_give_a_verdict_where_they_are_many():
    generator = np.random.default_rng(0)
    hard = generator.standard_normal(2000)
    a, b = (shift + hard + 0.5 * generator.standard_normal((6, 2000)) > 0 for shift in (0.6, 0.3))
    found = judge(a, b, "greater", margin=0.01)
    assert found.decision == "supported"
    assert found.difference.images.p < 0.001


def test_false_alarms_stay_under_five_percent():
    generator = np.random.default_rng(0)
    found = [judge(*generator.normal(0, 1, (2, 6)), "greater").decision for _ in range(600)]
    assert sum(decision != "not settled" for decision in found) / 600 < 0.06


def test_margins_without_meaning_are_refused():
    for relation, margin in (("greater", -1.0), ("equivalent", 0.0)):
        with pytest.raises(ValueError, match="margin"):
            judge([1.0], [2.0], relation, margin)
