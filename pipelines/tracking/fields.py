"""Specs and records as MLflow's params, tags and metrics: plain dicts of names and values."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pipelines.machine import MEMORY
from pipelines.metric import of_split
from pipelines.records import FEATURE_SECONDS, Record

LONGEST_VALUE = 5000
"""MLflow cuts params at 6000 characters; cutting them here keeps a second sync from taking them for others."""

PRETRAINING, REPRESENTATION = "pretraining", "representation"
"""First parts of names. MLflow sorts its charts by them: these come after those of most protocols."""
SPREADS = ("_sd", "_ci95")
"""Ends of names: how much a number of the same record varies over draws or episodes."""
UNTOLD = (FEATURE_SECONDS, "features/width")
"""What a record says beside the features that is no measure of them."""


def clean(name: str) -> str:
    """``name`` in the letters MLflow allows, without empty path parts, at most 250 characters."""
    parts = re.sub(r"[^A-Za-z0-9_\-. :/]", "_", name).split("/")
    return "/".join(part for part in parts if part.strip("."))[:250] or "_"


def params(spec: Mapping[str, Any], derived: Mapping[str, Any]) -> dict[str, str]:
    """A spec as dotted paths (``method.temperature``), and a record's derived numbers (``derived.lr``)."""
    return {clean(name): value for name, value in _flat("", {**spec, "derived": derived})}


def chosen(prefix: str, record: Record) -> dict[str, str]:
    """What an evaluation chose on the way, as params: ``linear/chosen/lr``."""
    return {
        clean(f"{prefix}/{name}"): str(value)[:LONGEST_VALUE]
        for name, value in record.derived.items()
        if name.startswith("chosen/")
    }


def tags(**found: object) -> dict[str, str]:
    """Tags as MLflow takes them; what is empty is left out."""
    return {clean(name): str(value)[:LONGEST_VALUE] for name, value in found.items() if value not in (None, "")}


def made_by(record: Record) -> dict[str, str]:
    """Tags of the code and the machine that made a record, and what a reader has to know of it."""
    return tags(
        commit=record.commit + ("-dirty" if record.dirty else ""),
        code=record.code_digest,
        device=record.device,
        flags=", ".join(record.flags),
    )


def final_metrics(record: Record) -> dict[str, float]:
    """A pretraining's or a search's numbers under ``pretraining/``, and what memory it took under MLflow's own ``system/``.

    One that was not finite has none.
    """
    found: dict[str, float | None] = {**record.metrics, "seconds": record.seconds}
    found["images_per_second"] = record.images_per_second
    memory = {name: value for name, value in record.derived.items() if name.startswith(f"{MEMORY}/")}
    numbers = {f"{PRETRAINING}/{name.removeprefix('final/')}": value for name, value in _finite(found).items()}
    return numbers | {f"system/{name}": value for name, value in _finite(memory).items()}


def measured(prefix: str, record: Record) -> dict[str, float]:
    """An evaluation's numbers on test: ``linear/top1`` for test/top1.

    What it chose by, and how much a number varies over draws, stand in the file of the record.
    """
    found = _finite(of_split("test", record.metrics))
    return {clean(f"{prefix}/{number}"): value for number, value in found.items() if not _is_spread(number, found)}


def _is_spread(name: str, among: Mapping[str, float]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in among for end in SPREADS)


def features(prefix: str, record: Record) -> dict[str, float]:
    """What was said of the features themselves (effective rank, uniformity, alignment)."""
    numbers = {name: value for name, value in record.derived.items() if name.startswith("features/")}
    return {
        clean(f"{prefix}/{name.removeprefix('features/')}"): value
        for name, value in _finite(numbers).items()
        if name not in UNTOLD
    }


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    """Numbers under names that MLflow allows."""
    return {clean(name): float(value) for name, value in values.items() if isinstance(value, int | float)}


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
