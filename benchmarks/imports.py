"""Seconds that a job pays for importing a library, in fresh processes with byte-compiled packages.

    python benchmarks/imports.py --json benchmarks/results/imports.json

Why torch, torchvision, timm and mlflow are imported where they are used only. The start of Python itself is taken off.
"""

import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import in_turn, seconds

LIBRARIES = (
    "yaml", "numpy", "pydantic", "pandas", "optuna", "matplotlib.pyplot", "altair", "sklearn.linear_model", "snakemake",
    "mlflow", "torch", "torchvision", "timm", "webdataset",
)  # fmt: skip
PACKAGES = (
    "numpy",
    "pydantic",
    "pandas",
    "optuna",
    "snakemake",
    "mlflow",
    "torch",
    "torchvision",
    "timm",
    "webdataset",
)


def started(code: str) -> float:
    """Wall-clock seconds of ``python -c code``."""
    return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    repeats, libraries = (1, LIBRARIES[:3]) if arguments.quick else (5, LIBRARIES)
    report = Report(
        "imports",
        f"Median of {repeats} fresh processes, less Python's own start.",
        PACKAGES,
        {"repeats": repeats},
        arguments.quick,
    )
    commands = {"python": "pass", **{library: f"import {library}" for library in libraries}}
    raw = in_turn({name: partial(started, code) for name, code in commands.items()}, repeats)
    own = statistics.median(raw["python"])
    rows = [row("Python's own start", own, "s")]
    rows += [row(f"`import {name}`", statistics.median(raw[name]) - own, "s") for name in libraries]
    report.finish(rows, {"seconds": raw}, arguments.json)


if __name__ == "__main__":
    main()
