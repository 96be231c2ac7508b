"""Prompt templates: sentences with a place for a class name."""

from typing import Annotated

from pydantic import AfterValidator, Field


def _one_place(templates: tuple[str, ...]) -> tuple[str, ...]:
    for template in templates:
        if template.count("{}") != 1 or "{" in template.replace("{}", "") or "}" in template.replace("{}", ""):
            raise ValueError(f"a template needs one {{}} where the class name goes, got {template!r}")
    return templates


Templates = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_one_place)]
"""At least one, each with one {} for the class name: a photo of a {}."""


def captions(template: str, names: tuple[str, ...] | list[str]) -> list[str]:
    """The template with each class name in its place; underscores of a name (folders have them) read as spaces."""
    return [template.format(name.replace("_", " ")) for name in names]
