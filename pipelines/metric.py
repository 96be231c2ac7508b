"""The name of a number in a record: the split it was measured on, and the number itself (``test/top1``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

Split = Literal["test", "holdout", "train"]
V = TypeVar("V")


@dataclass(frozen=True)
class Metric:
    """``str`` of it is its name in a record."""

    split: Split
    number: str

    def __str__(self) -> str:
        return f"{self.split}/{self.number}"


def named(split: Split, values: Mapping[str, V]) -> dict[str, V]:
    """Numbers of one split by their names in a record: top1 -> test/top1."""
    return {str(Metric(split, number)): value for number, value in values.items()}


def of_split(split: Split, metrics: Mapping[str, V]) -> dict[str, V]:
    """The other way: of a record's metrics those of one split, test/top1 -> top1; all others are left out."""
    start = str(Metric(split, ""))
    return {name.removeprefix(start): value for name, value in metrics.items() if name.startswith(start)}
