"""What a run does otherwise than the recipe that it names."""

from typing import Any

from pipelines.report.flat_settings import Flat, flat, short
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.parse import parse
from pipelines.spec.recipes import FromRecipe
from pipelines.spec.view_changes import changed


def options_beside(spec: PretrainSpec, recipe: FromRecipe) -> Flat:
    """The options of the method that are not the recipe's."""
    given = {name: value for name, value in recipe.method.items() if name != "use"}
    its = flat(parse(type(spec.method), given, f"recipe {recipe.name}: "))
    return {path: value for path, value in flat(spec.method).items() if its.get(path) != value}


def overruled(spec: PretrainSpec, recipe: FromRecipe) -> list[str]:
    """``epochs 3 instead of 12``: what the recipe says of training, views and network, and the run does otherwise."""
    training = spec.training.model_dump(mode="json")
    encoder = spec.encoder.model_dump(mode="json")
    said = recipe.encoder.model_dump(mode="json", exclude_unset=True) if recipe.encoder else {}
    lines = _told(recipe.training, training, "") + _told(said, encoder, "encoder ")
    change = recipe.views.model_dump(mode="json", exclude_none=True) if recipe.views else {}
    other = [name for name, value in change.items() if changed(spec.views, {name: value}) != spec.views]
    return lines + [f"views {name} not {short(change[name])}" for name in other]


def _told(said: dict[str, Any], done: dict[str, Any], before: str) -> list[str]:
    return [
        f"{before}{name} {short(done[name])} instead of {short(value)}"
        for name, value in said.items()
        if name in done and done[name] != value and not _same(done[name], value)
    ]


def _same(one: Any, other: Any) -> bool:
    """The same number, though it is written as 1e-4 in one place and as text in another."""
    try:
        return float(one) == float(other)
    except (TypeError, ValueError):
        return list(one) == list(other) if isinstance(one, list | tuple) and isinstance(other, list | tuple) else False
