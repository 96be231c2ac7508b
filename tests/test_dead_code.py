"""Nothing public stands in the package for tests alone: what no stage, rule or benchmark says by name is deleted or wired.

It goes by names: a name said once anywhere keeps all that are called so. That misses some dead code and accuses little.
"""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "pipelines").rglob("*.py"))
TEXTS = [
    ROOT / "Snakefile",
    *(ROOT / "workflow").rglob("*.smk"),
    *(ROOT / "reports" / "templates").iterdir(),
]
"""What uses the package besides Python: rules, and the page's template."""
READ_BY_FRAMEWORKS = {"model_config", "emit"}
"""Names that pydantic and logging look for."""
NOT_YET = {
    "spec/layout.py": "the paths it writes down are still spelt out where they are used",
}
"""Modules and names known to be unused, and why they stay for now; an entry that is used again has to go."""


def named(node: ast.stmt) -> list[str]:
    """The names that a statement defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
    return []


def public(tree: ast.Module) -> dict[str, ast.stmt]:
    """Functions, classes and constants of a module, and methods and fields of its classes, but for underscored ones."""
    found = {name: node for node in tree.body for name in named(node)}
    for outer in [node for node in tree.body if isinstance(node, ast.ClassDef)]:
        found |= {f"{outer.name}.{name}": inner for inner in outer.body for name in named(inner)}
    return {name: node for name, node in found.items() if not re.search(r"(^|\.)_", name)}


def said(tree: ast.AST) -> Counter[str]:
    """How often code says each name: a variable that is read, an attribute, or a whole string that may be a look-up."""
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                found[name] += 1
    return found


def unsaid(tree: ast.Module, everywhere: Counter[str]) -> list[str]:
    """The public names of a module that are said nowhere but in their own definition."""
    last = {name: name.rpartition(".")[2] for name in public(tree)}
    return [name for name, node in public(tree).items() if everywhere[last[name]] == said(node)[last[name]]]


def unused() -> list[str]:
    """``FILE: NAME`` of all that is unsaid in modules, rules, templates and benchmarks."""
    trees = {path: ast.parse(path.read_text()) for path in MODULES}
    everywhere = Counter(word for path in TEXTS for word in re.findall(r"\w+", path.read_text()))
    for tree in (*trees.values(), *(ast.parse(path.read_text()) for path in (ROOT / "benchmarks").glob("*.py"))):
        everywhere.update(said(tree))
    return [
        f"{path.relative_to(ROOT / 'pipelines')}: {name}"
        for path, tree in trees.items()
        for name in unsaid(tree, everywhere)
        if name.rpartition(".")[2] not in READ_BY_FRAMEWORKS
    ]


UNUSED = unused()


def test_everything_public_is_used_outside_of_tests():
    assert not [place for place in UNUSED if not any(place.startswith(known) for known in NOT_YET)]


@pytest.mark.parametrize("known", NOT_YET)
def test_what_is_known_to_be_unused_still_is(known):
    assert any(place.startswith(known) for place in UNUSED), "used by now: take it off the list"


def test_a_function_that_only_calls_itself_is_found():
    tree = ast.parse("LIMIT = 3\ndef f(n):\n    return f(n - 1) if n > LIMIT else 0\nclass A:\n    def g(self): ...\n")
    assert unsaid(tree, said(tree)) == ["f", "A", "A.g"]
