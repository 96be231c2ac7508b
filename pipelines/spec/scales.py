"""Scales: data, network, seeds and evaluation that several studies share, in experiments/scales/NAME.yaml.

A study with ``scale: digits`` takes every key from there that it does not give itself, and its methods' recipes at that
scale: one line moves a study from minutes on a laptop to days on a cluster.
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from pipelines.errors import InputError
from pipelines.spec.base import Model
from pipelines.spec.by_scale import with_values
from pipelines.spec.mistakes import suggestion
from pipelines.spec.parse import check_keys, parse
from pipelines.spec.recipes import RECIPES, read_recipes
from pipelines.spec.yaml_file import read_yaml

SCALES = RECIPES.parent / "scales"


class Scale(Model):
    """What a scale gives. All but ``recipes`` are keys of a study, checked where the study is."""

    recipes: tuple[str, ...] = Field(min_length=1)
    """Names of recipe scales; of each method the first that its recipe file has."""
    dataset: dict[str, Any] | None = None
    datasets: list[dict[str, Any]] | None = None
    encoder: dict[str, Any] | None = None
    seeds: list[int] | None = None
    views: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    evaluation: list[dict[str, Any]] | None = None
    main: str | None = None
    """Goes with ``evaluation``: a study that lists its own protocols says itself which one leads."""
    ceiling: dict[str, Any] | None = None


def with_scale(data: dict[str, Any], study: Path) -> dict[str, Any]:
    """A study file's values with what its ``scale`` gives beneath; the study is then called STUDY-SCALE.

    InputError when there is no such scale, when a method has no recipe at it, or a name no value.
    """
    data = with_values(data, str(study), _known())
    if data.get("scale") is None:
        return data
    own, name = dict(data), str(data["scale"])
    scale = _read(name, study)
    beneath = scale.model_dump(exclude_none=True, exclude={"recipes"})
    if "dataset" in own or "datasets" in own:  # one of them replaces either
        beneath = {key: value for key, value in beneath.items() if key not in ("dataset", "datasets")}
    if "evaluation" in own:
        beneath.pop("main", None)
    methods = own.get("methods")
    if isinstance(methods, list):
        own["methods"] = [_at_scale(entry, scale, study, f"{study}: methods[{i}]") for i, entry in enumerate(methods)]
    whole = {**beneath, "name": f"{study.stem}-{name}", **own}
    return {**whole, "ceiling": _at_scale(whole.get("ceiling"), scale, study, f"{study}: ceiling")}


def _known() -> list[str]:
    return sorted(path.stem for path in SCALES.glob("*.yaml"))


def _read(name: str, study: Path) -> Scale:
    file = SCALES / f"{name}.yaml"
    if not file.exists():
        raise InputError(f"{study}: scale: there is no scale {name!r}; {suggestion(name, _known())}")
    values = read_yaml(file)
    check_keys(Scale, values, f"{file}: ")
    scale: Scale = parse(Scale, values, f"{file}: ", "a scale")
    return scale


def _at_scale(entry: Any, scale: Scale, study: Path, where: str) -> Any:
    """A method entry whose recipe names no scale, with the scale's."""
    recipe = entry.get("recipe") if isinstance(entry, dict) else None
    if not isinstance(recipe, str) or "/" in recipe or "use" in entry:  # DINO has an option called recipe
        return entry
    file, there = read_recipes(recipe, study, where)
    found = next((name for name in scale.recipes if name in there), None)
    if found is None:
        raise InputError(
            f"{where}.recipe: {file} has no recipe at {' or '.join(scale.recipes)}; "
            f"name one of its own: {', '.join(f'{recipe}/{name}' for name in there)}"
        )
    return {**entry, "recipe": f"{recipe}/{found}"}
