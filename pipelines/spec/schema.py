"""The JSON schemas of a study file and of the workflow config, for completion and checks in editors.

Write them anew with ``python -m pipelines.spec.schema``; a test fails when one is stale.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import create_model

from pipelines.spec.methods import names, options_class
from pipelines.spec.recipes import RECIPES
from pipelines.spec.study import MethodEntry, Study
from pipelines.spec.training import Training
from pipelines.spec.workflow import WorkflowConfig

FILE = RECIPES.parent / "experiment.schema.json"
CONFIG_FILE = RECIPES.parents[1] / "workflow" / "config.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMMON = ("label", "encoder", "views", "view_recipe", "start", "grid")


def schema() -> dict[str, Any]:
    """The schema of a study as it is written: each method's options beside what every entry may have."""
    study = create_model("Study", __base__=Study, training=(Training, Training()))
    result = study.model_json_schema()
    definitions = result["$defs"]
    for loaded in ("MethodEntry", "FromRecipe"):  # the form of an entry once it is read
        definitions.pop(loaded)
    entries = [_entry(name, definitions) for name in names()]
    by_recipe = {
        "type": "object",
        "required": ["recipe"],
        "properties": {
            "recipe": {
                "type": "string",
                "description": "NAME/SCALE in experiments/recipes, or NAME at the study's scale",
            }
        },
    }
    result["properties"]["methods"] = {"type": "array", "minItems": 1, "items": {"anyOf": [*entries, by_recipe]}}
    supervised = entries[list(names()).index("supervised")]
    result["properties"]["ceiling"] |= {"anyOf": [supervised, by_recipe, {"const": False}, {"type": "null"}]}
    result["properties"].pop("name")
    needed = [key for key in result.pop("required") if key not in ("name", "question", "methods")]
    result["required"] = ["question", "methods"]
    result["anyOf"] = [{"required": ["scale"]}, {"required": needed}]
    result["$schema"] = DIALECT
    return result


def _entry(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    common: dict[str, Any] = {key: (MethodEntry.model_fields[key].annotation, None) for key in COMMON}
    model = create_model(
        name, __base__=options_class(name), training=(Training, Training()), recipe=(str, ""), **common
    )
    entry = model.model_json_schema()
    definitions.update(entry.pop("$defs", {}))
    return {**entry, "required": ["use"]}


def texts() -> dict[Path, str]:
    """The files and their content."""
    config = {**WorkflowConfig.model_json_schema(), "$schema": DIALECT}
    return {
        path: json.dumps(content, indent=1, sort_keys=True) + "\n"
        for path, content in ((FILE, schema()), (CONFIG_FILE, config))
    }


if __name__ == "__main__":
    for path, content in texts().items():
        path.write_text(content, encoding="utf-8")
