"""Data from a file into a model, with errors that say where, what, why and what was meant."""

import difflib
import functools
import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipelines.errors import InputError
from pipelines.secrets import masked
from pipelines.spec.kinds import OneOf


def parse(kind: Any, data: Any, where: str, what: str | None = None) -> Any:
    """``data`` (plain JSON values) as ``kind``; InputError with ``where`` as the path's start, all problems listed.

    ``what`` is the word for the thing that has options, by default the value of its ``use`` key or its class.
    """
    try:
        return _adapter(kind).validate_json(json.dumps(data))  # JSON mode: strict, but a list may be a tuple
    except TypeError:
        _plain(data, where)
        raise
    except ValidationError as error:
        problems = _without_echoes(error.errors(include_url=False))
        raise InputError("\n".join(_line(kind, problem, where, what) for problem in problems)) from None


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Building one takes longer than using it."""
    return TypeAdapter(kind)


def check_keys(kind: type[BaseModel], data: Mapping[Any, Any], where: str) -> None:
    """InputError when a file has a top-level key that its model does not know."""
    known = list(kind.model_fields)
    if wrong := [str(key) for key in data if key not in known]:
        raise InputError("\n".join(f"{where}there is no key '{key}'; {suggestion(key, known)}" for key in wrong))


def _plain(data: Any, where: str) -> None:
    """InputError with the place of a value that JSON does not have, such as a date."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list | tuple) else ()
    for step, value in inner:
        if isinstance(data, dict) and not isinstance(step, str):
            raise InputError(f"{where}: a key must be text, and {step!r} is not; write it in quotes")
        _plain(value, _step(where, step))
    if not isinstance(data, dict | list | tuple | str | int | float | None):
        raise InputError(
            f"{where}: must be text, a number, a list or a mapping, got {data} ({type(data).__name__}); text goes in quotes"
        )


def _step(path: str, step: Any) -> str:
    return (
        f"{path}[{step}]" if isinstance(step, int) else f"{path}.{step}" if path[-2:] not in ("", ": ") else path + step
    )


def _without_echoes(problems: list[Any]) -> list[Any]:
    """One problem a mistake: a list is not too short because the items in it are wrong."""
    places = [problem["loc"] for problem in problems]
    return [
        problem
        for problem, here in zip(problems, places)
        if not any(len(place) > len(here) and place[: len(here)] == here for place in places)
    ]


def suggestion(word: str, known: list[str]) -> str:
    """`` did you mean 'x'?``, or the list of what there is when nothing comes near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(sorted(known))}"


def _line(kind: Any, problem: Any, where: str, what: str | None) -> str:
    path, model = _walk(kind, problem["loc"], where)
    if problem["type"] == "extra_forbidden":
        key = str(problem["loc"][-1])
        name = what if what and len(problem["loc"]) == 1 else _word(model)
        fields = [field for field in model.model_fields if field != "use"] if model else []
        return f"{path}: {name} has no such option; {suggestion(key, fields)}"
    if problem["type"] == "union_tag_invalid":
        known = [tag.strip(" '") for tag in problem["ctx"]["expected_tags"].split(",")]
        return f"{path}.use: there is no '{problem['ctx']['tag']}'; {suggestion(problem['ctx']['tag'], known)}"
    if problem["type"] == "union_tag_not_found":
        return f"{path}: needs a 'use'"
    if problem["type"] == "missing":
        return f"{path}: is needed"
    message = problem["msg"].removeprefix("Value error, ")
    value = problem["input"]
    shown = "" if isinstance(value, dict | list) else f", got {masked(repr(value))}"
    return f"{path}: {message[0].lower() + message[1:]}{shown}" if path else f"{message}{shown}"


def _walk(kind: Any, loc: tuple[Any, ...], where: str) -> tuple[str, type[BaseModel] | None]:
    """The readable path of an error, and the model whose field is at fault."""
    path, models, owner = where, _models(kind), None
    for step in loc:
        tagged = [model for model in models if _tag(model) == step and step not in model.model_fields]
        if tagged:  # a member of a union: pydantic puts its tag in the path
            models, owner = tagged, tagged[0]
            continue
        path = _step(path, step)
        if isinstance(step, str):
            owner = next((model for model in models if step in model.model_fields), models[0] if models else None)
            field = owner.model_fields.get(step) if owner else None
            models = _models(field.annotation) if field else models
    return path, owner


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, OneOf):
        return list(annotation.options())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _tag(model: type[BaseModel]) -> Any:
    use = model.model_fields.get("use")
    return use.default if use else None


def _word(model: type[BaseModel] | None) -> str:
    return str((model and _tag(model)) or (model.__name__.lower() if model else "this"))
