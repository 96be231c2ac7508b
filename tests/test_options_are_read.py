"""Every option of a part is read by the code it configures: one that is documented, checked and then forgotten is found."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipelines"
ROOMS = {"methods": "methods", "datasets": "sources", "encoders": "encoders", "evaluation": "evaluation"}
"""Folder of options in ``spec`` -> the room of what they configure."""
FOR_ALL = ("building", "training", "views", "stages")
"""What puts parts of every kind to work, and may read an option in a part's place."""
BEFORE_VALIDATION = {("evaluation", "linear_augmented", "form")}
"""Read from what the study gives, where it decides what the other options are by default."""
PARTS = [
    (kind, path.stem)
    for kind in ROOMS
    for path in sorted((PACKAGE / "spec" / kind).glob("*.py"))
    if path.stem not in ("__init__", "base", "parts")
]


def own_options(text: str) -> list[str]:
    """The fields that the class Options of a file adds."""
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == "Options"]
    fields = [node for each in classes for node in each.body if isinstance(node, ast.AnnAssign)]
    return [
        node.target.id
        for node in fields
        if isinstance(node.target, ast.Name)
        and node.target.id != "use"
        and "ClassVar" not in ast.unparse(node.annotation)
    ]


def read(text: str) -> set[str]:
    """The names that a file takes from objects."""
    nodes = ast.walk(ast.parse(text))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def files(kind: str, name: str) -> Iterator[Path]:
    """Where a part's options may be read besides ``FOR_ALL``: its own files, and what its kind shares."""
    yield from (PACKAGE / "spec" / kind / f"{each}.py" for each in (name, "base", "parts"))
    yield from (PACKAGE / ROOMS[kind] / f"{each}.py" for each in (name, "base"))
    yield from (PACKAGE / ROOMS[kind]).glob(f"{name}_*.py")


@cache
def read_for_all() -> frozenset[str]:
    found = [read(path.read_text()) for room in FOR_ALL for path in (PACKAGE / room).glob("*.py")]
    return frozenset().union(*found)


@pytest.mark.parametrize(("kind", "name"), PARTS, ids="/".join)
def test_every_option_of_a_part_is_read_where_it_is_put_to_work(kind, name):
    taken = set(read_for_all()).union(*(read(path.read_text()) for path in files(kind, name) if path.exists()))
    options = own_options((PACKAGE / "spec" / kind / f"{name}.py").read_text())
    unread = {(kind, name, option) for option in options if option not in taken}
    assert unread - BEFORE_VALIDATION == set()


def test_an_option_that_nobody_reads_is_found():
    text = "class Options(Model):\n    use: str = 'x'\n    k: int = 1\n    said: ClassVar[int] = 2\n    lost: int = 3\n"
    assert own_options(text) == ["k", "lost"]
    assert "k" in read("options.k + 1")
    assert "lost" not in read("lost = 3\noptions.lost = 4")
