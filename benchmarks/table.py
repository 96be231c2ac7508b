"""The tables of docs/performance.md, from benchmarks/results: no number there is typed by hand.

python benchmarks/table.py            prints all tables
python benchmarks/table.py --write    puts them into docs/performance.md, between their markers
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
GPU = "_gpu"
"""Ends the name of a result of a script's ``--device cuda``."""
GPU_ALONE = {"time_to_accuracy"}
"""Results of scripts that measure nothing without a GPU."""
BLOCK = re.compile(r"(<!-- table (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def shown(value: float) -> str:
    """A number with about three digits: 12,345 and 123 and 12.3 and 1.23 and 0.012."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 3
    return f"{value:,.{digits}f}"


def verdict(row: dict[str, Any]) -> str:
    """The bound of a row and whether its value keeps it; nothing for a row without one."""
    for name, sign in (("at_least", "≥"), ("at_most", "≤")):
        if name in row:
            kept = row["value"] >= row[name] if name == "at_least" else row["value"] <= row[name]
            return f"{sign} {row[name]:g}: {'met' if kept else '**missed**'}"
    return ""


def table(result: dict[str, Any]) -> str:
    """A result as Markdown: its rows, and below where they were measured."""
    lines = ["| measured | value | target |", "|---|---:|---|"]
    for row in result["rows"]:
        lines.append(
            f"| {row['what']} | {' '.join(filter(None, (shown(row['value']), row['unit'])))} | {verdict(row)} |"
        )
    machine, versions = result["machine"], result["versions"]
    places = [
        machine.get("gpu", ""),
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_at_start']:g} at the start",
        ", ".join(f"{name} {number}" for name, number in versions.items()),
        f"commit {result['commit'][:10]}{' with changes' if result['dirty'] else ''}",
        result["when"][:10],
    ]
    quick = "**Quick run, no measurement.** " if result["quick"] else ""
    return "\n".join([*lines, "", f"{quick}{result['what']} {'; '.join(filter(None, places))}."])


def block(name: str) -> str:
    """The table of a benchmark, or why there is none and how to get it."""
    path = RESULTS / f"{name}.json"
    if path.exists():
        return table(json.loads(path.read_text(encoding="utf-8")))
    why = "Not measured yet: needs a GPU" if needs_gpu(name) else "Not measured in this checkout"
    return f"*{why}: `{command(name)}`*"


def needs_gpu(name: str) -> bool:
    """Whether a result is one of a GPU, by its name."""
    return name.endswith(GPU) or name in GPU_ALONE


def command(name: str) -> str:
    """What makes a result."""
    options = " --device cuda" if needs_gpu(name) else ""
    return f"python benchmarks/{name.removesuffix(GPU)}.py{options} --json benchmarks/results/{name}.json"


def filled(page: str) -> str:
    """The page with every block made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}{block(found['name'])}\n{found[3]}", page)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the tables of docs/performance.md, or put them there.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(PAGE.parents[1])}")
    page = PAGE.read_text(encoding="utf-8")
    if parser.parse_args().write:
        PAGE.write_text(filled(page), encoding="utf-8")
        return
    for found in BLOCK.finditer(page):
        print(f"## {found['name']}\n\n{block(found['name'])}\n")


if __name__ == "__main__":
    main()
