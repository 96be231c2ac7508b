"""Kinds of parts, found by their folder: ``use: moco`` is the file moco.py with a class Options, and no list to keep.

Planning reads the options of every kind here in ``spec``; the room of the same name holds what they configure.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Annotated, Any, Union

from pydantic import BaseModel, Field, GetCoreSchemaHandler

SHARED = ("base", "parts", "peer")
"""Files of such a folder that hold what its kinds share."""


def names(package: str) -> tuple[str, ...]:
    """The kinds in a folder of modules, sorted; ``package`` as imported, e.g. pipelines.spec.methods."""
    path = importlib.import_module(package).__path__
    return tuple(sorted(info.name for info in pkgutil.iter_modules(path) if info.name not in SHARED))


def options_of(package: str, name: str) -> type[BaseModel]:
    """The ``Options`` of one kind; KeyError when the folder has no such file."""
    if name not in names(package):
        raise KeyError(name)
    found: type[BaseModel] = importlib.import_module(f"{package}.{name}").Options
    return found


@dataclass(frozen=True)
class OneOf:
    """``Annotated[Base, OneOf(package)]``: the Options of any kind in the folder, told apart by their ``use``."""

    package: str

    def options(self) -> tuple[type[BaseModel], ...]:
        """Every kind's Options."""
        return tuple(options_of(self.package, name) for name in names(self.package))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        union: Any = Union[self.options()]  # noqa: UP007  the members are found at run time
        return handler.generate_schema(Annotated[union, Field(discriminator="use")])
