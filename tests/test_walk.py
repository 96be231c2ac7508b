"""The page that walks through the code names files and definitions that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "walk.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w./]+\.(?:py|smk|yaml))(?::([\w.]+))?`", PAGE)))


def defined(text: str, name: str) -> bool:
    """Whether a module defines a function, a class, or ``CLASS.METHOD``."""
    body: list[ast.stmt] = ast.parse(text).body
    for part in name.split("."):
        found = [each for each in body if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name == part]
        if not found:
            return False
        body = found[0].body
    return True


@pytest.mark.parametrize(("file", "name"), NAMED, ids=":".join)
def test_what_the_walk_names_is_there(file, name):
    assert (ROOT / file).is_file(), f"docs/walk.md: there is no {file}"
    assert not name or defined((ROOT / file).read_text(encoding="utf-8"), name), f"docs/walk.md: {file} has no {name}"


def test_the_walk_names_definitions_and_a_lost_one_would_be_noticed():
    assert sum(bool(name) for _, name in NAMED) > 30
    assert defined("class A:\n    def b(self): ...\n", "A.b")
    assert not defined("class A:\n    def b(self): ...\n", "A.c")
