"""Every method's options: one file a method, found by its name (``use: moco`` is ``moco.py``), no list to keep."""

from typing import Annotated

from pipelines.spec import kinds
from pipelines.spec.methods.base import MethodOptions

AnyMethod = Annotated[MethodOptions, kinds.OneOf(__name__)]


def names() -> tuple[str, ...]:
    """The methods there are, sorted."""
    return kinds.names(__name__)


def options_class(name: str) -> type[MethodOptions]:
    """The ``Options`` of one method; KeyError when there is no such method."""
    found = kinds.options_of(__name__, name)
    assert issubclass(found, MethodOptions)
    return found
