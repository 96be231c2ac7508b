"""The documentation's list of methods: name, options with their defaults, settings of training, recipes with their sources.

Write it anew with ``python -m pipelines.spec.methods_page``; a test fails when it is stale.
"""

import typing
from collections.abc import Iterator
from typing import Any, Literal

import yaml

from pipelines.spec.methods import names, options_class
from pipelines.spec.methods.peer import Peer
from pipelines.spec.recipes import RECIPES

FILE = RECIPES.parents[1] / "docs" / "methods.md"
HEAD = """# Methods

<!-- written by python -m pipelines.spec.methods_page; change the docstrings of the options instead -->

This page lists every method with the name that it has under `use:` in a study, its options with their defaults, and
its recipes.

- `{use: simclr, temperature: 0.5}` takes a method with its defaults and changes one option.
- `{recipe: simclr/cifar}` takes all settings of a recipe. `{recipe: simclr}` takes the one of the study's `scale`. The
  recipes called `small` were made for small images and few epochs.
- *Trains with* names the settings of `training` in which a method without a recipe differs from the defaults. The defaults
  are those of MoCo v2. What the study says under `training` comes before both.

An option that is empty by default follows from others, as its meaning says.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(part for name in names() for part in _method(name))])


def _method(name: str) -> Iterator[str]:
    kind = options_class(name)
    yield f"## {name}\n\n{_cell(kind.__doc__ or '')}\n"
    if issubclass(kind, Peer):
        yield "Its methods and options are those of [peers.md](peers.md).\n"
        return
    if training := kind().default_training():
        yield f"Trains with: `{_inline(training)}`.\n"
    rows = [row for option, field in kind.model_fields.items() if option != "use" for row in _option(option, field)]
    if rows:
        yield "\n".join(["| option | default | meaning |", "|---|---|---|", *rows, ""])
    if found := recipes(name):
        yield "\n".join(
            ["| recipe | source |", "|---|---|", *(f"| `{key}` | {_cell(text)} |" for key, text in found), ""]
        )


def _option(option: str, field: Any) -> Iterator[str]:
    default = field.get_default(call_default_factory=True)
    shown = "" if default is None else f"`{_plain(default)}`"
    others = [f"`{_plain(each)}`" for each in _allowed(field.annotation) if each != default]
    choice = f"{shown} or {', '.join(others)}" if shown and others else shown or ", ".join(others)
    yield f"| `{option}` | {choice} | {_cell(field.description or '')} |"


def _allowed(annotation: Any) -> list[Any]:
    """The values of a Literal, also of one that may be left out."""
    if typing.get_origin(annotation) is Literal:
        return list(typing.get_args(annotation))
    return [value for part in typing.get_args(annotation) for value in _allowed(part)]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_plain, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _inline(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {_plain(value)}" for key, value in settings.items())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", r"\|")


def recipes(name: str) -> list[tuple[str, str]]:
    """The recipes of a method: NAME/SCALE, and where the settings come from."""
    found = []
    for path in sorted(RECIPES.glob("*.yaml")):
        scales = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [
            (f"{path.stem}/{scale}", recipe["source"])
            for scale, recipe in scales.items()
            if isinstance(recipe, dict) and recipe["method"]["use"] == name
        ]
    return found


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
