"""Power: against simulation of the very test, and its inverse."""

import numpy as np
import pytest

from pipelines.statistics.paired import sign_flip
from pipelines.statistics.power import MOST, detectable, power, seeds_needed


@pytest.mark.parametrize(("n", "effect"), [(6, 1.0), (6, 1.8), (7, 1.0), (8, 1.25), (10, 0.8)])
def test_power_is_how_often_the_sign_flip_test_shows_it(n, effect):
    generator = np.random.default_rng(0)
    drawn = generator.normal(effect, 1, (1500, n))
    shown = np.mean([d.mean() > 0 and sign_flip(d).p <= 0.05 for d in drawn])
    assert power(n, effect, 1.0) == pytest.approx(shown, abs=0.05)


def test_needed_is_the_first_that_is_enough():
    for difference, sd in ((1.0, 1.0), (0.5, 1.0), (0.3, 0.9), (1.0, 2.0)):
        n = seeds_needed(difference, sd)
        assert power(n, difference, sd) >= 0.8 > power(n - 1, difference, sd)


def test_textbook_value():
    assert seeds_needed(0.5, 1.0) == 34  # paired t-test, d = 0.5, two-sided 0.05, power 0.80


def test_never_under_six():
    assert seeds_needed(100.0, 1.0) == seeds_needed(1.0, 0.0) == seeds_needed(1.0, 1e-17) == 6
    assert seeds_needed(100.0, 1.0, alpha=0.01) == 8
    assert power(5, 100.0, 1.0) == 0
    assert detectable(5, 1.0) is None


def test_out_of_reach():
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(0.0, 0.0) is None
    assert seeds_needed(0.01, 1.0) is None
    assert power(MOST, 0.01, 1.0) < 0.8


def test_detectable_is_the_inverse_and_shrinks():
    found = [detectable(n, 2.0) for n in (6, 7, 10, 34, 200)]
    assert found == sorted(found, reverse=True)
    for n, difference in zip((6, 7, 10, 34, 200), found):
        assert power(n, difference, 2.0) == pytest.approx(0.8, abs=1e-6)
        assert seeds_needed(difference * 1.0001, 2.0) == n
    assert detectable(6, 0.0) == 0


def test_power_rises_with_pairs_and_difference_and_is_a_chance_everywhere():
    grid = np.array([[power(n, effect, 1.0) for effect in np.linspace(0, 150, 400)] for n in (6, 7, 20, 500, MOST)])
    assert ((grid >= 0) & (grid <= 1)).all()
    assert (np.diff(grid, axis=0) >= -1e-9).all()
    assert (np.diff(grid, axis=1) >= -1e-9).all()
    assert power(8, -1.0, 1.0) == power(8, 1.0, 1.0)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(ValueError, match="spread above 0"):
        power(6, 1.0, 0.0)
    for sd, chance in ((-1.0, 0.8), (1.0, 1.0), (1.0, 0.01)):
        for function in (
            lambda sd, chance: seeds_needed(1.0, sd, chance=chance),
            lambda sd, c: detectable(9, sd, chance=c),
        ):
            with pytest.raises(ValueError, match="chance between"):
                function(sd, chance)
