"""Which way things depend on each other, and how large they may grow."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipelines"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
HELPERS = {
    "advice",
    "artifacts",
    "batch",
    "code",
    "colours",
    "contact_sheet",
    "distributed",
    "durations",
    "errors",
    "files",
    "attempts",
    "constants",
    "database",
    "heartbeat",
    "histograms",
    "kernels",
    "lease",
    "listing",
    "locks",
    "machine",
    "masking",
    "metric",
    "randomness",
    "seeds",
    "scene",
    "schedules",
    "signals",
    "surroundings",
    "telling",
}
ALLOWED = {
    "spec": {"spec", "records", "acceptance", "statistics.relation"},
    "records": set(),
    "acceptance": {"records"},
    "history": set(),
    "progress": {"spec", "history"},
    "watching": {"watching", "progress", "spec", "records"},
    "tracking": {"tracking", "records", "history", "spec.layout"},
    "tuning": {"tuning", "journal", "lease", "spec.tuning"},
    "journal": set(),
    "losses": {"losses"},
    "encoders": {"encoders", "spec"},
    "sources": {"sources", "spec"},
    "views": {"views", "spec"},
    "method": {"encoders.base"},
    "methods": {"methods", "method", "spec", "losses", "encoders"},
    "evaluation": {"evaluation", "method", "methods.base", "spec", "losses", "encoders"},
    "building": {
        "building",
        "sources",
        "views",
        "methods",
        "method",
        "encoders",
        "evaluation",
        "training",
        "spec",
        "records",
    },
    "checking": {
        "checking",
        "spec",
        "records",
        "acceptance",
        "history",
        "sources",
        "evaluation.features",
        "training.checkpoint",
    },
    "launching": {"launching"},
    "cli": {"launching.gpus"},
    "training": {"training", "method", "spec", "encoders.base", "encoders.norms", "history"},
    "report": {
        *("report", "spec", "records", "acceptance", "history", "statistics"),
        *("evaluation.answers", "evaluation.predictions", "evaluation.floors", "tuning.choice", "tuning.space"),
    },
    "statistics": {"statistics"},
    "__main__": {"cli"},
}
"""Room -> what of ours it may import, beside the helpers; stages may import everything, and nobody imports stages."""
LATE: dict[str, set[str]] = {}
"""File -> imports that have to wait: a library that only some of its functions need and every job would pay for."""
HEAVY = {"torch", "torchvision", "timm", "mlflow", "optuna", "pandas", "matplotlib", "altair", "sklearn", "webdataset"}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Our modules that a file imports anywhere, relative to the package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipelines"):
            base = (node.module or "").removeprefix("pipelines").removeprefix(".")
            names = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            found |= {base} if base and not (PACKAGE / base.replace(".", "/")).is_dir() else set(names)
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("pipelines.") for alias in node.names if alias.name.startswith("pipelines.")
            }
    return {name for name in found if name != "__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_upward_or_sideways(path):
    if room(path) in ("stages", *HELPERS):
        assert room(path) == "stages" or all(name.split(".")[0] in HELPERS for name in imported(path))
        return
    allowed = ALLOWED[room(path)] | HELPERS
    wrong = [name for name in imported(path) if not any(name == one or name.startswith(f"{one}.") for one in allowed)]
    assert not wrong, f"{path.name} may not import {wrong}"


def top_level(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


LIGHT = [path for path in FILES if room(path) in ("spec", "records", "history", "__main__", "cli", "files", "errors")]


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_planning_and_help_import_nothing_heavy(path):
    assert not top_level(path) & (
        HEAVY | {"numpy"} | ({"pydantic", "yaml"} if room(path) in ("cli", "__main__") else set())
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_stand_at_the_top(path):
    """A module is loaded when it runs, so nothing has to hide an import in a function or behind TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    inside = [
        ast.unparse(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    allowed = LATE.get(str(path.relative_to(PACKAGE)), set())
    assert set(inside) <= allowed, f"{path.name} imports inside a function: {inside}"
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    assert not blocks, f"{path.name} imports for type checkers alone"


NUMBERS = [
    path for path in FILES if room(path) in ("statistics", "report") or path.name in ("predictions.py", "floors.py")
]


@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_numbers_and_reports_need_no_torch(path):
    assert not top_level(path) & {"torch", "torchvision", "timm", "sklearn"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path):
    text = path.read_text()
    assert text.count("\n") <= 260, f"{path.name} has {text.count(chr(10))} lines: one idea a file"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 50, f"{path.name}: {node.name} has {length} lines"


def test_no_two_public_classes_have_one_name():
    """Every part's ``Options`` apart, which are found by that name."""
    places: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.relative_to(PACKAGE).as_posix())
    assert places.pop("Options")
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
