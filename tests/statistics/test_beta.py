"""The density of weights, against its closed forms and its integral."""

import math

import pytest

from pipelines.statistics.beta import symmetric_density


@pytest.mark.parametrize("alpha", [0.6, 1.0, 1.6, 2.0, 7.5])
def test_it_integrates_to_one_and_is_even(alpha):
    count = 200_000
    total = sum(symmetric_density((place + 0.5) / count, alpha) for place in range(count)) / count
    assert total == pytest.approx(1, abs=5e-3)
    assert symmetric_density(0.2, alpha) == pytest.approx(symmetric_density(0.8, alpha))


def test_known_ones():
    assert symmetric_density(0.3, 1.0) == pytest.approx(1)
    assert symmetric_density(0.3, 2.0) == pytest.approx(6 * 0.3 * 0.7)
    assert symmetric_density(0.25, 0.5) == pytest.approx(1 / (math.pi * math.sqrt(0.25 * 0.75)))
