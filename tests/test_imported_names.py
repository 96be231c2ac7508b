"""Names that files outside the package take from it are there: no type checker reads a rule of Snakemake or a script."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    [
        ROOT / "Snakefile",
        *ROOT.glob("workflow/**/*.smk"),
        *ROOT.glob("benchmarks/*.py"),
        *ROOT.glob("docs/**/*.py"),
    ]
)
IMPORT = re.compile(r"^\s*from (pipelines[\w.]*) import (?:\(([^)]*)\)|([\w, ]+))", re.MULTILINE)


def taken(path: Path) -> list[tuple[str, str]]:
    """(module, name) of everything a file imports from the package."""
    return [
        (module, name.split(" as ")[0].strip())
        for module, many, few in IMPORT.findall(path.read_text())
        for name in (many or few).split(",")
        if name.strip()
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_imported_name_is_there(path):
    for module, name in taken(path):
        found = importlib.import_module(module)
        assert hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}"), f"{path}: {module}.{name}"


def test_the_rules_take_names_at_all():
    assert any(taken(path) for path in FILES if path.suffix == ".smk")
