"""Which trial wins: the best ones and the default are repeated with fresh seeds, and the highest mean of repeats is chosen.

The highest of many noisy values is too high by itself, and of two that tie on a small held-out slice the first is as good as
the second. So the value that made a trial a finalist does not count any more. Ties go to the default, then to the value
that the trial had in the search, then to the lower slot.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.tuning.search import OptunaStudy

DEFAULT = 0
"""The slot of the values that the study has without tuning."""


@dataclass(frozen=True)
class Finalist:
    """A trial of the search with its repeats: a value each, the floor for one without a result."""

    slot: int
    value: float
    repeats: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the repeats; of a search without repeats the value itself."""
        return statistics.mean(self.repeats) if self.repeats else self.value


def finalists(search: OptunaStudy, values: Mapping[int, float]) -> list[int]:
    """The slots that are repeated: those of the highest values, and the default, whatever it reached.

    values: slot -> value of every trial of the search that has one.
    """
    if not search.repeats:
        return []
    order = sorted(values, key=lambda slot: (-values[slot], slot != DEFAULT, slot))[: search.finalists]
    return sorted({*order, DEFAULT} & set(values))


def chosen(found: Sequence[Finalist]) -> Finalist:
    """The winner of at least one."""
    return max(found, key=lambda each: (each.mean, each.slot == DEFAULT, each.value, -each.slot))


def noise(found: Sequence[Finalist]) -> float | None:
    """Standard deviation of the objective over seeds, pooled over finalists with two repeats or more; None without them."""
    variances = [(statistics.variance(each.repeats), len(each.repeats) - 1) for each in found if len(each.repeats) > 1]
    freedom = sum(count for _, count in variances)
    return (sum(variance * count for variance, count in variances) / freedom) ** 0.5 if freedom else None
