"""Pydantic's problems as sentences for the one who wrote the file: one mistake, one line, with the word that was meant."""

import difflib
import re
from collections import defaultdict
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from pipelines.masking import masked
from pipelines.spec.base import NAME, NAME_IN_WORDS
from pipelines.spec.kinds import OneOf

Place = tuple[str | int, ...]
MOST_NAMES = 20
"""A longer list of names is cut to the nearest half."""


def nearest(word: str, known: list[str]) -> str | None:
    """The one of ``known`` that ``word`` was probably meant to be: case, - and _ count for nothing."""
    plain = {name.lower().replace("-", "_"): name for name in reversed(known)}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def suggestion(word: str, known: list[str]) -> str:
    """``did you mean 'x'?``, or what there is when nothing comes near; of a long list the names that come nearest."""
    if near := nearest(word, known):
        return f"did you mean '{near}'?"
    if len(known) <= MOST_NAMES:
        return f"there are: {', '.join(sorted(known))}"
    likest = difflib.get_close_matches(word, known, n=MOST_NAMES // 2, cutoff=0.0)
    return f"there are: {', '.join(sorted(likest))} and {len(known) - len(likest)} more"


def step(path: str, key: Any) -> str:
    """``path`` with one more key or number; a path that ends in ': ' is the start of a line."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    shown = str(key) if str(key).isprintable() else repr(key)
    return f"{path}.{shown}" if path and not path.endswith(": ") else path + shown


def said(path: str, message: str) -> str:
    """``path: message``."""
    return path + message if not path or path.endswith(": ") else f"{path}: {message}"


def sentences(kind: Any, problems: list[Any], where: str, what: str | None, beside: tuple[str, ...]) -> list[str]:
    """A line for each mistake. ``beside``: keys that the caller takes out of the topmost mapping itself."""
    problems = _without_echoes(problems)
    needed: dict[Place, list[Any]] = defaultdict(list)
    for problem in problems:
        if problem["type"] == "missing":
            needed[problem["loc"][:-1]].append(problem["loc"][-1])
    lines = []
    for problem in sorted(problems, key=lambda problem: problem["type"] != "extra_forbidden"):
        place = problem["loc"]
        path, model = walk(kind, place, where)
        match problem["type"]:
            case "extra_forbidden":
                name = what if what and len(place) == 1 else _word(model)
                fields = [*_options(model), *(beside if len(place) == 1 else ())]
                lines.append(f"{path}: {name} has no such option; {_meant(str(place[-1]), fields, needed[place[:-1]])}")
            case "missing":
                names, inner = needed.pop(place[:-1], []), walk(kind, place[:-1], where)[0]
                lines += [_needed(inner, names, problem["input"])] if names else []
            case _:
                lines.append(_line(path, walk(kind, place, where, whole=True)[1], problem))
    return lines


def _without_echoes(problems: list[Any]) -> list[Any]:
    """Without what only follows from another problem: a list is not too short because the items in it are wrong."""
    places = [problem["loc"][:-1] if _too_short(problem) else problem["loc"] for problem in problems]
    return [
        problem
        for problem, here in zip(problems, places)
        if not any(len(place) > len(here) and place[: len(here)] == here for place in places)
    ]


def _too_short(problem: Any) -> bool:
    """Whether a list with a fixed number of values ends too early, which pydantic tells of each value that is not there."""
    return problem["type"] == "missing" and isinstance(problem["loc"][-1], int)


def _meant(key: str, fields: list[str], needed: list[Any]) -> str:
    """The way out for an unknown key; a key that is needed and not there is crossed off: the unknown one stands for it."""
    near = nearest(key, fields)
    if near is None and needed:
        names = ", ".join(f"'{name}'" for name in needed)
        needed.clear()
        return f"needed: {names}"
    if near in needed:
        needed.remove(near)
    return suggestion(key, fields)


def _needed(path: str, names: list[Any], value: Any) -> str:
    if isinstance(names[0], int):  # of a list with a fixed number of values
        return said(path, f"must have {max(names) + 1} values, got {len(value)}")
    if len(names) == 1:
        return said(step(path, names[0]), "is needed")
    return said(path, f"needs {', '.join(repr(name) for name in names)}")


def _line(path: str, annotation: Any, problem: Any) -> str:
    value, context = problem["input"], problem.get("ctx", {})
    match problem["type"]:
        case "union_tag_invalid":
            known = [str(_tag(model)) for model in _members(annotation)]
            return f"{path}.use: there is no {context['tag']!r}; {suggestion(context['tag'], known)}"
        case "union_tag_not_found":
            if near := next((key for key in value if nearest(key, ["use"])), None):
                return f"{step(path, near)}: there is no such key; did you mean 'use'?"
            return said(path, f"needs a 'use'; {suggestion('', [str(_tag(model)) for model in _members(annotation)])}")
        case "dict_type" | "model_type" | "model_attributes_type":
            return said(path, f"must be a mapping of keys to values, got {shown(value)}")
        case "tuple_type" | "list_type":
            return said(path, f"must be a list, got {shown(value)}")
        case "too_short" | "too_long":
            least = problem["type"] == "too_short"
            rule = f"at least {context['min_length']}" if least else f"at most {context['max_length']}"
            return said(
                path, f"must have {rule} value{'s' * (not rule.endswith(' 1'))}, got {context['actual_length']}"
            )
        case "string_pattern_mismatch" if context["pattern"] == NAME:
            return said(path, f"must be {NAME_IN_WORDS}, got {shown(value)}")
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:] if path else message
    told = problem["type"] == "value_error" and isinstance(value, dict | list)  # in our own sentence
    return said(path, message if told else f"{message}, got {shown(value)}")


def shown(value: Any) -> str:
    """A wrong value, in a few words; an address without its password."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = masked(repr(value))
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def walk(kind: Any, place: Place, where: str, whole: bool = False) -> tuple[str, Any]:
    """The readable path of a place, and what it is in: the model whose key it is, or with ``whole`` its own type."""
    path, here, owner = where, kind, None
    for key in place:
        members = _members(here)
        tagged = [model for model in members if len(members) > 1 and _tag(model) == key]
        if tagged:  # a member of a union: pydantic puts its tag in the path
            here = owner = tagged[0]
            continue
        path = step(path, key)
        owner = next((member for member in members if _is_model(member)), None)
        here = next((inner for member in members if (inner := _inside(member, key)) is not None), None)
    return path, here if whole else owner


def _members(annotation: Any) -> list[Any]:
    """The types that an annotation allows, None aside."""
    if get_origin(annotation) is Annotated:
        plain, *marks = get_args(annotation)
        one_of = next((mark for mark in marks if isinstance(mark, OneOf)), None)
        return list(one_of.options()) if one_of else _members(plain)
    if get_origin(annotation) in (Union, UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [] if annotation in (None, type(None)) else [annotation]


def _inside(annotation: Any, key: Any) -> Any:
    """The type of what stands under ``key``."""
    if _is_model(annotation):
        field = annotation.model_fields.get(key)
        mark = next((mark for mark in field.metadata if isinstance(mark, OneOf)), None) if field else None
        return Annotated[field.annotation, mark] if mark else field.annotation if field else None
    inner = get_args(annotation)
    return inner[-1] if get_origin(annotation) is dict else inner[0] if inner else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _options(model: type[BaseModel] | None) -> list[str]:
    return [field for field in model.model_fields if field != "use"] if model else []


def _tag(model: Any) -> Any:
    """What tells a model from the others of its union: its ``use``, or its class."""
    if not _is_model(model):
        return None
    use = model.model_fields.get("use")
    return use.default if use else model.__name__.lower()


def _word(model: type[BaseModel] | None) -> str:
    """What a model is called: its ``use``, or its class in words."""
    name = re.sub(r"(?<!^)(?=[A-Z])", " ", model.__name__).lower() if model else "this"
    return str(model.model_fields["use"].default or name) if model and "use" in model.model_fields else name
