"""Recipes: a method's settings at a scale, with their sources, in experiments/recipes/NAME.yaml.

A method entry ``{recipe: moco_v2/cifar, temperature: 0.1}`` takes the settings under ``cifar`` and changes one.
"""

from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.spec.base import Model
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.mistakes import suggestion
from pipelines.spec.parse import parse
from pipelines.spec.views import AugmentationChange, Views
from pipelines.spec.yaml_file import read_yaml

RECIPES = Path(__file__).parents[2] / "experiments" / "recipes"


class Recipe(Model):
    """A method's settings at one scale."""

    source: str
    """Where the numbers are from: a paper's table, a repository's file, or where they were measured."""
    method: dict[str, Any]
    """``use`` and the method's options."""
    training: dict[str, Any] = {}
    encoder: AnyEncoder | None = None
    views: AugmentationChange | None = None
    view_recipe: Views | None = None
    dataset: dict[str, Any] | None = None
    """The data set the numbers belong to, for the reader; a study names its own."""


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``under``: mappings are merged key by key, all else is replaced."""
    result = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def with_recipe(entry: dict[str, Any], study: Path, where: str) -> dict[str, Any]:
    """A method entry with its ``recipe`` merged in beneath; the entry itself when it names none."""
    entry = dict(entry)
    reference = entry.pop("recipe", None)
    if reference is None:
        return entry
    name, _, scale = str(reference).partition("/")
    folders = (study.parent / "recipes", RECIPES)
    file = next((folder / f"{name}.yaml" for folder in folders if (folder / f"{name}.yaml").exists()), None)
    if file is None:
        known = [path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")]
        raise InputError(f"{where}.recipe: there is no recipe {name!r}; {suggestion(name, known)}")
    scales = {key: value for key, value in read_yaml(file).items() if key != "paper"}
    if scale not in scales:
        raise InputError(f"{where}.recipe: {file} has no scale {scale!r}; {suggestion(scale, list(scales))}")
    recipe = parse(Recipe, scales[scale], f"{file}: {scale}", "a recipe").model_dump(mode="json", exclude_unset=True)
    use = recipe["method"].get("use")
    if entry.get("use") not in (None, use):
        raise InputError(f"{where}.use: recipe {reference} is for {use}; leave use out, or take another recipe")
    settings = {key: recipe[key] for key in ("training", "encoder", "views", "view_recipe") if key in recipe}
    return merged({**recipe["method"], **settings}, entry)
