"""What has a place of its own is written nowhere else: names of numbers in a record, and of what stands in results."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pipelines import history, records
from pipelines.spec import layout

PACKAGE = Path(__file__).parents[1] / "pipelines"


def texts(path: Path) -> Iterator[str]:
    """Every string that a file works with; docstrings are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def test_the_split_of_a_number_is_told_by_its_metric_alone():
    """``train/`` is that of histories, too, which no split is cut from."""
    written = [
        (path.relative_to(PACKAGE).as_posix(), text)
        for path in sorted(PACKAGE.rglob("*.py"))
        for text in texts(path)
        if text.startswith(("test/", "holdout/"))
    ]
    assert written == []


PLACES = {
    *layout.RESERVED,
    *(layout.INDEX, layout.LISTING, layout.NOTES, layout.SPEC, layout.BEST),
    *(layout.PLAN, layout.PAGE, layout.BRIEF, layout.RECORDS),
    *(records.FILE, history.FILE, "units.json", "made_from.json"),
}
WORDS = {"jobs", "logs", "units", "benchmarks", "features", "damaged", "paper", "tables", "figures"}
"""Folders whose names are plain words, which mean other things elsewhere: looked for in paths only."""
AT_HOME = ("spec/layout.py", "records.py", "history.py")


def parts_of_paths(path: Path) -> Iterator[str]:
    """Texts that a file puts on a path with / or looks for with glob."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            found = [node.right]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("glob", "rglob"):
            found = node.args
        for each in found:
            for part in ast.walk(each):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield from part.value.split("/")


def test_what_stands_in_results_is_named_by_the_layout_alone():
    written = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name not in AT_HOME:
            written += [(name, text) for text in texts(path) if text.rpartition("/")[2] in PLACES - WORDS]
            written += [(name, text) for text in parts_of_paths(path) if text in WORDS]
    assert written == []


CUTTERS = {"removesuffix", "removeprefix", "partition", "rpartition", "split", "rsplit", "startswith", "endswith"}
NAMING = ("_tuned", "(tuning", "(teacher", "untrained ", "raw pixels")
"""What labels of tables are made with, see ``pipelines.spec.row_name``."""


def cut(tree: ast.AST) -> Iterator[str]:
    """What a file takes texts apart by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CUTTERS:
            for part in (inner for given in node.args for inner in ast.walk(given)):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def test_labels_are_put_together_and_never_taken_apart():
    found = [
        (path.relative_to(PACKAGE).as_posix(), text)
        for path in sorted(PACKAGE.rglob("*.py"))
        for text in cut(ast.parse(path.read_text(encoding="utf-8")))
        if any(word in text for word in NAMING)
    ]
    assert found == []
    assert sorted(cut(ast.parse("stem = label.split('[', 1)[0].removesuffix('_tuned')"))) == ["[", "_tuned"]
