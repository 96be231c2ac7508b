"""What has a place of its own is written nowhere else: names of numbers in a record."""

import ast
from collections.abc import Iterator
from pathlib import Path

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
