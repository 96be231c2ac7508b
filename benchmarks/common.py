"""What the benchmarks share beside the contest: their options, and one form of result."""

import argparse
import json
import os
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.files import write_json
from pipelines.machine import cpu_name, git_state
from pipelines.records import now

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def arguments_of(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes: shows that it runs, no more")
    parser.add_argument("--json", type=Path, help="file for the result, e.g. benchmarks/results/NAME.json")
    return parser


def keep_cores(count: int) -> int:
    """Let this process and its children use ``count`` cores at most; how many it has then."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def row(
    what: str, value: float, unit: str = "", *, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    """A line of the table in docs/performance.md; with the bound it was meant to keep, if it has one."""
    bound = {"at_least": at_least} if at_least is not None else {"at_most": at_most} if at_most is not None else {}
    return {"what": what, "value": value, "unit": unit, **bound}


class Report:
    """A result in the making: reads the machine's load before anything is measured."""

    def __init__(
        self,
        name: str,
        what: str,
        packages: Iterable[str],
        settings: dict[str, Any],
        quick: bool,
        gpu: str | None = None,
    ) -> None:
        """gpu: the name of the one that was measured on, if it was one."""
        commit, dirty = git_state()
        self.started = time.perf_counter()
        self.result: dict[str, Any] = {
            "benchmark": name,
            "what": what,
            "quick": quick,
            "when": now(),
            "commit": commit,
            "dirty": dirty,
            "machine": {
                **({"gpu": gpu} if gpu else {}),
                "cpu": cpu_name(),
                "cores": os.cpu_count(),
                "load_at_start": round(os.getloadavg()[0], 2),
            },
            "versions": {package: version(package) for package in packages},
            "settings": settings,
        }

    def finish(self, rows: list[dict[str, Any]], raw: dict[str, Any], path: Path | None) -> None:
        """Print the rows; write the whole result, with every single time, to ``path``."""
        from benchmarks.table import table

        self.result |= {"took_seconds": round(time.perf_counter() - self.started, 1), "rows": rows, "raw": raw}
        print(f"\n{table(self.result)}")
        print(json.dumps({name: self.result[name] for name in ("machine", "versions", "settings")}, indent=1))
        if path:
            write_json(path, self.result)
