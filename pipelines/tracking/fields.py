"""A job's spec and record as MLflow's params, tags and final metrics: plain dicts of names and values."""

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipelines.colours import colour
from pipelines.records import Record
from pipelines.tracking.folders import Contents

LONGEST_VALUE = 5000
"""MLflow cuts params at 6000 characters; cutting them here keeps a second sync from taking them for others."""


def clean(name: str) -> str:
    """``name`` in the letters MLflow allows, without empty path parts, at most 250 characters."""
    parts = re.sub(r"[^A-Za-z0-9_\-. :/]", "_", name).split("/")
    return "/".join(part for part in parts if part.strip("."))[:250] or "_"


def params(contents: Contents) -> dict[str, str]:
    """The spec as dotted paths (``method.temperature``), and the record's derived numbers (``derived.lr``)."""
    derived = contents.record.derived if contents.record else {}
    tree = {**contents.spec, "derived": derived}
    return {clean(name): value for name, value in _flat("", tree)}


def tags(contents: Contents, given: dict[str, str]) -> dict[str, str]:
    """What runs are searched and grouped by; ``given``, the caller's, come before what the spec says."""
    spec, record = contents.spec, contents.record
    found: dict[str, Any] = {"run_key": contents.key, "stage": contents.stage}
    found["dataset"] = _name(spec.get("dataset"))
    found["seed"] = spec.get("seed")
    if "method" in spec or "source" in spec:
        found["method"] = given.get("label") or _name(spec.get("method")) or _name(spec.get("source"))
        found["mlflow.runColor"] = colour(str(found["method"]))
    found["evaluation"] = _name(spec.get("evaluation"))
    found |= {f"input.{name}": key for name, key in contents.inputs.items()}
    if record:
        found["commit"] = record.commit + ("-dirty" if record.dirty else "")
        found["device"] = record.device
        found["flags"] = ", ".join(record.flags) or None
    found |= {name: value for name, value in given.items() if name != "label"}
    return {clean(name): str(value)[:LONGEST_VALUE] for name, value in found.items() if value not in (None, "")}


def final_metrics(record: Record) -> dict[str, float]:
    """The record's metrics and timings under ``final/``; a number that was not finite has none."""
    found: dict[str, float | None] = {**record.metrics, "seconds": record.seconds}
    found["images_per_second"] = record.images_per_second
    return {
        clean(f"final/{name.removeprefix('final/')}"): float(value)
        for name, value in found.items()
        if value is not None
    }


def metric_value(value: float) -> float:
    """Infinities as NaN: MLflow keeps NaN, but would store an infinity as 1.8e308."""
    return value if math.isfinite(value) else math.nan


def milliseconds(time: str) -> int:
    """An ISO time as milliseconds since 1970."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Dotted path and text of every leaf; a list of plain values is one leaf, written as JSON."""
    if isinstance(value, dict) and (value or not path):
        for name, part in value.items():
            yield from _flat(f"{path}.{name}" if path else str(name), part)
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for i, part in enumerate(value):
            yield from _flat(f"{path}.{i}", part)
    elif path != "derived":
        yield path, (value if isinstance(value, str) and value else json.dumps(value))[:LONGEST_VALUE]


def _name(value: Any) -> str | None:
    """What a part of a spec is called: its name or kind, with a data set's limit."""
    if not isinstance(value, dict):
        return None if value is None else str(value)
    name = value.get("name") or value.get("use")
    return f"{name}-{value['limit']}" if name and value.get("limit") else name
