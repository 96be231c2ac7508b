"""Data from a file into a model, with errors that say where, what, why and what was meant."""

import functools
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipelines.errors import InputError
from pipelines.spec.mistakes import sentences, step, suggestion


def parse(kind: Any, data: Any, where: str, what: str | None = None, beside: tuple[str, ...] = ()) -> Any:
    """``data`` (plain JSON values) as ``kind``; InputError with ``where`` as the path's start, all problems listed.

    ``what`` is the word for the thing that has options, by default the value of its ``use`` key or its class.
    ``beside``: keys that are allowed next to ``data``'s own and that the caller has taken out, for suggestions.
    """
    try:
        return _adapter(kind).validate_json(json.dumps(data))  # JSON mode: strict, but a list may be a tuple
    except TypeError:
        _plain(data, where)
        raise
    except ValidationError as error:
        raise InputError("\n".join(sentences(kind, error.errors(include_url=False), where, what, beside))) from None


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Building one takes longer than using it."""
    return TypeAdapter(kind)


def check_keys(kind: type[BaseModel], data: Mapping[Any, Any], where: str) -> None:
    """InputError when a file has a top-level key that its model does not know."""
    known = list(kind.model_fields)
    if wrong := [key for key in data if key not in known]:
        raise InputError(
            "\n".join(f"{where}there is no key {str(key)!r}; {suggestion(str(key), known)}" for key in wrong)
        )


def _plain(data: Any, where: str) -> None:
    """InputError with the place of a value that JSON does not have, such as a date."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list | tuple) else ()
    for key, value in inner:
        if isinstance(data, dict) and not isinstance(key, str):
            raise InputError(f"{where}: a key must be text, and {key!r} is not; write it in quotes")
        _plain(value, step(where, key))
    if not isinstance(data, dict | list | tuple | str | int | float | None):
        kind = f"{data} ({type(data).__name__})"
        raise InputError(f"{where}: must be text, a number, a list or a mapping, got {kind}; text goes in quotes")
