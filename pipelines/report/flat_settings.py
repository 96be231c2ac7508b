"""Nested settings as one line of paths and values."""

from collections.abc import Mapping
from typing import Any

from pipelines.spec.base import Model

Flat = dict[str, Any]
"""Option path -> plain value."""


def flat(value: Model) -> Flat:
    """Every option by its path."""
    return _paths(value.model_dump(mode="json"))


def words(options: Mapping[str, Any]) -> str:
    """``temperature 0.2 · momentum 0.999``."""
    return " · ".join(f"{path} {short(value)}" for path, value in options.items())


def short(value: Any) -> str:
    """A value in few letters."""
    if isinstance(value, list):
        return f"({', '.join(map(short, value))})"
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)


def _paths(value: Any, path: str = "") -> Flat:
    """Nested options by path; a list of plain values is one value."""
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        value = {str(number): inner for number, inner in enumerate(value)}
    if not isinstance(value, dict):
        return {path: value}
    return {
        name: leaf for key, inner in value.items() for name, leaf in _paths(inner, f"{path}.{key}".strip(".")).items()
    }
