"""The best values of a tuning study, laid over the spec of the run that waited for them."""

from pathlib import Path
from typing import Any

from pipelines.files import read_json
from pipelines.spec.methods import options_class
from pipelines.spec.parse import parse
from pipelines.spec.recipes import merged
from pipelines.spec.resolve import nested


def with_values(spec: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A pretraining spec with options set by path (temperature, training.lr_per_256), checked like a user's."""
    spec = dict(spec)
    for path, value in values.items():
        head, _, rest = path.partition(".")
        part, inner = (head, rest) if head in ("training", "encoder") and rest else ("method", path)
        spec[part] = merged(spec[part], nested(inner, value))
    parse(options_class(spec["method"]["use"]), spec["method"], "tuned values")
    return spec


def with_best(spec: dict[str, Any], best: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The spec that runs, and the values that tuning chose for it (none without a tuning study's folder)."""
    if best is None:
        return spec, {}
    values = read_json(best / "best.json")["params"]
    return with_values(spec, values), values
