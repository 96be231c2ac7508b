"""Values that differ between scales: named in a study under ``by_scale``; ``$NAME`` then stands for the one of its scale.

What a scale cannot know belongs to the question: the lengths of queue that a study compares, the rates that it sweeps.
"""

import re
from collections.abc import Iterator
from typing import Any

from pipelines.errors import InputError
from pipelines.spec.mistakes import step, suggestion

NAMED = re.compile(r"\$([a-z][a-z0-9_]*)")
"""What stands for a value: a whole word of the file."""


def with_values(written: dict[str, Any], study: str, scales: list[str]) -> dict[str, Any]:
    """A study as written, every ``$NAME`` replaced by its value at the study's scale; as it is without ``by_scale``.

    ``scales`` are those there are. InputError names what has no value at the scale, what nobody uses, and what there is not.
    """
    table = written.get("by_scale")
    if table is None:
        return written
    rest = {key: value for key, value in written.items() if key != "by_scale"}
    values = _at(table, written.get("scale"), study, scales)
    used = set(_used(rest))
    if unused := sorted(values.keys() - used):
        raise InputError(f"{study}: by_scale.{unused[0]}: nothing in the study says ${unused[0]}; leave it out")
    return {key: _filled(value, values, f"{study}: {key}") for key, value in rest.items()}


def _at(table: Any, scale: Any, study: str, scales: list[str]) -> dict[str, Any]:
    """Name -> value at the scale."""
    where = f"{study}: by_scale"
    if not isinstance(table, dict) or not all(isinstance(row, dict) and row for row in table.values()):
        raise InputError(
            f"{where}: must be names with a value for each scale, such as queue: {{digits: 512, imagenet1k: 65536}}"
        )
    if scale is None:
        raise InputError(
            f"{where}: the study has no scale, so that no value is chosen; add scale, or write the values themselves"
        )
    for name, row in table.items():
        if not NAMED.fullmatch(f"${name}"):
            raise InputError(f"{where}.{name}: a name here has small letters, digits and _, and begins with a letter")
        for wrong in (key for key in row if key not in scales):
            raise InputError(f"{where}.{name}.{wrong}: there is no scale {wrong!r}; {suggestion(str(wrong), scales)}")
        if scale in scales and scale not in row:
            raise InputError(
                f"{where}.{name}: has no value at scale {scale}, only at {', '.join(row)}; add one, or take one of these scales"
            )
    return {name: row[scale] for name, row in table.items() if scale in row}


def _used(value: Any) -> Iterator[str]:
    """The names that a value refers to, however deep."""
    if isinstance(value, str) and (found := NAMED.fullmatch(value)):
        yield found[1]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _used(inner)


def _filled(value: Any, values: dict[str, Any], where: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, values, step(where, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, values, step(where, i)) for i, inner in enumerate(value)]
    if not (isinstance(value, str) and (found := NAMED.fullmatch(value))):
        return value
    if found[1] not in values:
        raise InputError(f"{where}: by_scale has no {found[1]!r}; {suggestion(found[1], list(values))}")
    return values[found[1]]
