"""The benchmarks' tables are fresh, say what they should, and every script starts."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from types import ModuleType

import pytest

from benchmarks import contest, table

SCRIPTS = sorted(path for path in table.RESULTS.parent.glob("*.py") if "arguments_of(__doc__)" in path.read_text())
ROOT = table.PAGE.parents[1]
TAKES_DEVICE = [path for path in SCRIPTS if "device_option(parser)" in path.read_text()]
ON_BOTH = sorted(path.stem for path in TAKES_DEVICE if path.stem not in table.GPU_ALONE)
"""Scripts that measure on the processor, and on a GPU with results of their own."""
PAGE = table.PAGE.read_text(encoding="utf-8")
RESULT = {
    "what": "A thing, two cores.",
    "quick": False,
    "when": "2026-01-31T12:00:00.000+00:00",
    "commit": "0123456789abcdef",
    "dirty": False,
    "machine": {"cpu": "Some CPU", "cores": 2, "load_at_start": 0.25},
    "versions": {"torch": "2.15.0"},
    "rows": [
        {"what": "rate", "value": 12345.678, "unit": "images/s"},
        {"what": "ratio", "value": 2.4999, "unit": "x", "at_least": 2.5},
        {"what": "cost", "value": 2.99, "unit": "%", "at_most": 3},
    ],
}


def test_the_page_shows_the_committed_results():
    assert table.filled(PAGE) == PAGE, "stale: python benchmarks/table.py --write"


def test_every_benchmark_has_a_table_and_every_result_a_script():
    shown = [found["name"] for found in table.BLOCK.finditer(PAGE)]
    assert sorted(shown) == sorted([path.stem for path in SCRIPTS] + [f"{name}_gpu" for name in ON_BOTH])
    assert {path.stem for path in table.RESULTS.glob("*.json")} <= set(shown)


def measured_by(target: str) -> set[str]:
    """The results that a target of the Makefile writes, by its loop."""
    command = ["make", "--dry-run", "--always-make", target]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"for name in (.*?);", lines)[0].split())


def test_make_bench_leaves_out_what_the_page_says():
    assert {path.stem for path in SCRIPTS} - measured_by("bench") == {"time_to_accuracy", "slurm_many"}


def test_make_bench_gpu_writes_no_result_of_the_processor():
    assert measured_by("bench-gpu") == {f"{name}_gpu" for name in ON_BOTH} | table.GPU_ALONE


def test_no_number_of_the_page_is_typed_by_hand():
    """Outside the tables there is no digit but in names and settings that are no measurements."""
    prose = table.BLOCK.sub("", PAGE)
    for name in ("MoCo v2", "torchvision v2", "float32", "bfloat16", "TF32", "H100", "ResNet-50"):
        prose = prose.replace(name, "")
    assert not [line for line in prose.splitlines() if any(sign.isdigit() for sign in line)]


@pytest.mark.parametrize("path", sorted(table.RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_committed_results_are_whole_measurements(path):
    result = json.loads(path.read_text())
    assert result["benchmark"] == path.stem
    assert not result["quick"]
    assert result["raw"]
    assert result["rows"]


def test_a_table_line_by_line():
    assert table.table(RESULT).splitlines() == [
        "| measured | value | target |",
        "|---|---:|---|",
        "| rate | 12,346 images/s |  |",
        "| ratio | 2.50 x | ≥ 2.5: **missed** |",
        "| cost | 2.99 % | ≤ 3: met |",
        "",
        "A thing, two cores. Some CPU, 2 cores, load 0.25 at the start; torch 2.15.0; commit 0123456789; 2026-01-31.",
    ]


def test_a_table_names_the_gpu_before_the_processor():
    on_gpu = {**RESULT, "machine": {"gpu": "Some GPU", **RESULT["machine"]}}
    assert "two cores. Some GPU; Some CPU, 2 cores, load" in table.table(on_gpu)


def test_a_quick_run_says_so():
    assert "Quick run, no measurement" in table.table({**RESULT, "quick": True})


@pytest.mark.parametrize(
    ("value", "text"), [(1234567, "1,234,567"), (123.4, "123"), (12.34, "12.3"), (0.5, "0.50"), (-0.0123, "-0.012")]
)
def test_numbers_have_three_digits_or_so(value, text):
    assert table.shown(value) == text


def test_blocks_are_filled_and_the_rest_stays(monkeypatch, tmp_path):
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    (tmp_path / "one.json").write_text(json.dumps(RESULT))
    page = "before\n<!-- table one -->\nold\n<!-- end -->\nbetween\n<!-- table two -->\n<!-- end -->\nafter\n"
    page_of_a_gpu = "<!-- table one_gpu -->\n<!-- end -->\n"
    assert table.filled(page_of_a_gpu) == (
        "<!-- table one_gpu -->\n*Not measured yet: needs a GPU: `python benchmarks/one.py --device cuda --json"
        " benchmarks/results/one_gpu.json`*\n<!-- end -->\n"
    )
    filled = table.filled(page)
    assert filled.startswith(f"before\n<!-- table one -->\n{table.table(RESULT)}\n<!-- end -->\nbetween\n")
    assert filled.endswith(
        "<!-- table two -->\n*Not measured in this checkout: `python benchmarks/two.py --json"
        " benchmarks/results/two.json`*\n<!-- end -->\nafter\n"
    )
    assert table.filled(filled) == filled


def test_ratios_are_taken_round_by_round():
    """A machine twice as slow in the last round changes no ratio; the ratio of medians would be 1.5."""
    assert contest.paired([3.0, 4.0, 6.0], [1.0, 2.0, 3.0]) == 2.0


def test_rounds_that_warm_up_do_not_count():
    count = iter(range(100))
    works = {"a": lambda: next(count), "b": lambda: next(count)}
    assert contest.in_turn(works, rounds=2, warm=1) == {"a": [2, 4], "b": [3, 5]}


class Clock:
    """A contestant without a process: counts its turns."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def turn(self, warm: int, steps: int) -> contest.Segment:
        self.log.append(self.name)
        return {"seconds": [float(len(self.log))] * steps}


def test_contestants_take_turns():
    log: list[str] = []
    turns = contest.alternate({"a": Clock("a", log), "b": Clock("b", log)}, rounds=2, warm=1, steps=3)
    assert log == ["a", "b", "a", "b"]
    assert turns["b"] == [{"seconds": [2.0] * 3}, {"seconds": [4.0] * 3}]


def is_there(module: ModuleType, name: str) -> bool:
    """Whether a module has the name, or is a package with a module of that name, which need not be imported yet."""
    inside = hasattr(module, "__path__") and find_spec(f"{module.__name__}.{name}")
    return hasattr(module, name) or bool(inside)


def test_what_scripts_import_when_they_run_is_there():
    """They import late, so that none pays for another's libraries: a name that has moved would show in no other test."""
    for path in table.RESULTS.parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipelines"):
                module = importlib.import_module(node.module)
                missing = [alias.name for alias in node.names if not is_there(module, alias.name)]
                assert not missing, f"{path.name}: {node.module} has no {missing}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_starts_from_anywhere(path, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, str(path), "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
    assert "--json" in done.stdout
