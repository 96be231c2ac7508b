"""The options of a run by a study's paths, and arms in the order of an option's value."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pipelines.spec.overlay import PARTS

A = TypeVar("A")


def options_of(run: Mapping[str, Any]) -> list[str]:
    """Every path of a run (plain JSON values): momentum, feature_transform.positive.alpha, training.epochs."""
    own = _paths(run.get("method", {}), "")
    return own + [path for part in PARTS for path in _paths(run.get(part, {}), f"{part}.")]


def _paths(values: Mapping[str, Any], start: str) -> list[str]:
    found = []
    for key, value in values.items():
        found += _paths(value, f"{start}{key}.") if isinstance(value, Mapping) else [f"{start}{key}"]
    return found


def by_value(arms: Sequence[A], values: Mapping[A, Any]) -> list[A]:
    """The arms, numbers from the smallest up, behind them all else as it comes."""

    def order(arm: A) -> tuple[bool, float]:
        value = values[arm]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return (not is_number, float(value) if is_number else 0.0)

    return sorted(arms, key=order)
