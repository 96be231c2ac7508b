"""Options set by dotted path over plain JSON values: a grid point, or what tuning chose."""

from typing import Any

PARTS = ("training", "encoder")
"""Parts of a run that a path can lead into; any other path leads into the method."""


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``under``: mappings are merged key by key, all else is replaced."""
    result = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def nested(path: str, value: Any) -> dict[str, Any]:
    """``a.b`` and a value -> {a: {b: value}}."""
    for part in reversed(path.split(".")):
        value = {part: value}
    result: dict[str, Any] = value
    return result


def placed(path: str) -> str:
    """A study's path as a path in a run: temperature -> method.temperature, training.epochs as it is."""
    head, _, rest = path.partition(".")
    return path if head in PARTS and rest else f"method.{path}"


def laid_over(run: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A run (method, encoder, training, ...) with options set by a study's paths."""
    for path, value in values.items():
        run = merged(run, nested(placed(path), value))
    return run


def value_at(run: dict[str, Any], path: str) -> Any:
    """What a run has at a study's path; None where something on the way is off."""
    found: Any = run
    for part in placed(path).split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
