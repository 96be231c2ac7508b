"""When a mean agrees with a printed figure: by its whole interval, never by the mean alone."""

import pytest

from pipelines.statistics.intervals import Estimate, of_seeds
from pipelines.statistics.reproduction import LEAST_SEEDS, outcome


def found(low: float, high: float, n: int = 3) -> Estimate:
    return Estimate((low + high) / 2, 0.1, n, low, high, "seeds")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (89.6, 90.4, "reproduced"),
        (89.5, 90.5, "reproduced"),  # the bounds themselves are within
        (89.4, 90.4, "not settled"),
        (89.6, 90.6, "not settled"),
        (80.0, 99.0, "not settled"),
        (88.0, 89.4, "not reproduced"),
        (90.6, 92.0, "not reproduced"),  # better than the figure is not the figure either
        (88.0, 89.5, "not settled"),
    ],
)
def test_by_the_whole_interval(low: float, high: float, expected: str) -> None:
    assert outcome(found(low, high), 90.0, 0.5) == expected


def test_too_few_seeds_settle_nothing() -> None:
    assert outcome(found(89.9, 90.1, LEAST_SEEDS - 1), 90.0, 0.5) == "not settled"
    assert outcome(of_seeds([0.9], 10_000), 0.9, 0.5) == "not settled"


def test_a_wider_tolerance_never_takes_a_reproduction_back() -> None:
    order = {"not reproduced": 0, "not settled": 1, "reproduced": 2}
    for low in range(80, 100, 3):
        reached = [order[outcome(found(low, low + 2), 90.0, within)] for within in (0.5, 1.0, 3.0, 8.0, 20.0)]
        assert reached == sorted(reached)


def test_no_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        outcome(found(89, 91), 90.0, 0.0)
