"""Every method's options: one file a method, found by its name (``use: moco`` is ``moco.py``), no list to keep."""

import importlib
import pkgutil

from pipelines.spec.methods.base import MethodOptions


def names() -> tuple[str, ...]:
    """The methods there are, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name not in ("base", "parts")))


def options_class(name: str) -> type[MethodOptions]:
    """The ``Options`` of one method; KeyError when there is no such method."""
    if name not in names():
        raise KeyError(name)
    found: type[MethodOptions] = importlib.import_module(f"{__name__}.{name}").Options
    return found
