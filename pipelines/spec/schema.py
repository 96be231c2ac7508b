"""The JSON schema of a study file, for completion and checks in editors: experiments/experiment.schema.json.

Write it anew with ``python -m pipelines.spec.schema``; a test fails when it is stale.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import create_model

from pipelines.spec.methods import names, options_class
from pipelines.spec.recipes import RECIPES
from pipelines.spec.study import MethodEntry, Study
from pipelines.spec.training import Training

FILE = RECIPES.parent / "experiment.schema.json"
COMMON = ("label", "encoder", "views", "view_recipe", "grid")


def schema() -> dict[str, Any]:
    """The schema of a study as it is written: each method's options beside what every entry may have."""
    study = create_model("Study", __base__=Study, training=(Training, Training()))
    result = study.model_json_schema()
    definitions = result["$defs"]
    definitions.pop("MethodEntry")
    entries = [_entry(name, definitions) for name in names()]
    by_recipe = {
        "type": "object",
        "required": ["recipe"],
        "properties": {"recipe": {"type": "string", "description": "NAME/SCALE in experiments/recipes"}},
    }
    result["properties"]["methods"] = {"type": "array", "minItems": 1, "items": {"anyOf": [*entries, by_recipe]}}
    result["properties"].pop("name")
    result["required"].remove("name")
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return result


def _entry(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    common: dict[str, Any] = {key: (MethodEntry.model_fields[key].annotation, None) for key in COMMON}
    model = create_model(
        name, __base__=options_class(name), training=(Training, Training()), recipe=(str, ""), **common
    )
    entry = model.model_json_schema()
    definitions.update(entry.pop("$defs", {}))
    return {**entry, "required": ["use"]}


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(FILE).write_text(text(), encoding="utf-8")
