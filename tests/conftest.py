"""What holds for all tests of one process."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

TESTS = str(Path(__file__).parent)


def left_behind() -> list[str]:
    """Functions of tests that stand in modules of the product: a module that was first imported under a patch."""
    modules = [(name, module) for name, module in sys.modules.items() if name.split(".")[0] == "pipelines"]
    return [
        f"{name}.{key} is {value.__qualname__} of {value.__code__.co_filename}"
        for name, module in modules
        for key, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__code__.co_filename.startswith(TESTS)
    ]


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_patched() -> Iterator[None]:
    """A patch that outlives its test fails others, which ones depending on the order."""
    yield
    assert left_behind() == []
