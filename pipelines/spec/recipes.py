"""Recipes: a method's settings at a scale, with their sources, in experiments/recipes/NAME.yaml.

A method entry ``{recipe: moco_v2/cifar, temperature: 0.1}`` takes the settings under ``cifar`` and changes one.
"""

from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.spec.base import Model
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.methods import names, options_class
from pipelines.spec.mistakes import suggestion
from pipelines.spec.overlay import merged
from pipelines.spec.parse import parse
from pipelines.spec.training import Training
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


class FromRecipe(Model):
    """What a method entry took from a recipe that the study's own settings may overrule."""

    name: str
    """NAME/SCALE."""
    method: dict[str, Any] = {}
    """``use`` and the options, for the report."""
    training: dict[str, Any] = {}
    encoder: AnyEncoder | None = None
    views: AugmentationChange | None = None


def with_recipe(entry: dict[str, Any], study: Path, where: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A method entry with its ``recipe`` beneath, and what is kept apart as ``FromRecipe``; none where it names none.

    Options, encoder and view recipe are merged. Training and views stay apart: the study's own lie over the recipe's,
    and the entry's over both.
    """
    reference = entry.get("recipe")
    if "/" not in str(reference) and _is_option(entry.get("use")):
        return dict(entry), None
    own = {key: value for key, value in entry.items() if key != "recipe"}
    if reference is None:
        return own, None
    name, _, scale = str(reference).partition("/")
    recipe = _read(name, scale, study, where)
    use = recipe.method.get("use")
    if own.get("use") not in (None, use):
        raise InputError(f"{where}.use: recipe {reference} is for {use}; leave use out, or take another recipe")
    given: dict[str, Any] = recipe.model_dump(mode="json", exclude_unset=True)
    beneath = recipe.method | {key: value for key, value in given.items() if key in ("encoder", "view_recipe")}
    kind = recipe.encoder.use if recipe.encoder else None
    if isinstance(own.get("encoder"), dict) and own["encoder"].get("use", kind) != kind:
        beneath.pop("encoder", None)  # another kind of encoder: nothing of the recipe's belongs to it
    apart = {key: value for key, value in given.items() if key in ("method", "training", "encoder", "views")}
    return merged(beneath, own), {"name": str(reference), **apart}


def _is_option(use: Any) -> bool:
    """Whether the method has an option of its own that is called recipe (DINO)."""
    return use in names() and "recipe" in options_class(use).model_fields


def _read(name: str, scale: str, study: Path, where: str) -> Recipe:
    file, scales = read_recipes(name, study, where)
    if scale not in scales:
        raise InputError(f"{where}.recipe: {file} has no scale {scale!r}; {suggestion(scale, list(scales))}")
    recipe: Recipe = parse(Recipe, scales[scale], f"{file}: {scale}", "a recipe")
    parse(Training, recipe.training, f"{file}: {scale}.training", "training")
    return recipe


def read_recipes(name: str, study: Path, where: str) -> tuple[Path, dict[str, Any]]:
    """The recipes of one name by scale, and their file: from the folder beside the study or from the project's."""
    folders = (study.parent / "recipes", RECIPES)
    file = next((folder / f"{name}.yaml" for folder in folders if (folder / f"{name}.yaml").exists()), None)
    if file is None:
        known = [path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")]
        raise InputError(f"{where}.recipe: there is no recipe {name!r}; {suggestion(name, known)}")
    return file, {key: value for key, value in read_yaml(file).items() if key != "paper"}
