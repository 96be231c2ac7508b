"""What 50,000 jobs cost before the first of them runs: processor seconds and memory of planning and of Snakemake's dry run.

    python benchmarks/many_jobs.py --json benchmarks/results/many_jobs.json

The study is that of orchestration with more seeds. Seconds are of the processor, in the program and in the kernel. Others' load
lengthens them little beside those of the clock, so each command runs once. Memory is the most that the largest process of a
command held at once. Both are what the system counts for a command and the processes that it has waited for.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from benchmarks.orchestration import SNAKEMAKE, environment, large_study

JOBS, QUICK = 50_000, 200
GIB = 1024


@dataclass(frozen=True)
class Cost:
    """Of a command: processor seconds, and MiB of its largest process."""

    seconds: float
    mib: float


def cost(place: Path, *arguments: object) -> Cost:
    """Of a Python command in ``place``; CalledProcessError, with the end of its output printed, when it fails."""
    command = [sys.executable, *map(str, arguments)]
    with (place / "output").open("w+", encoding="utf-8") as output:
        started = subprocess.Popen(command, env=environment(), cwd=place, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            output.seek(0)
            print(output.read()[-3000:])
            raise subprocess.CalledProcessError(started.returncode, command)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / unit)


def measure(folder: Path, jobs: int) -> tuple[int, dict[str, Cost]]:
    """How many jobs there are, and what each command costs."""
    place, count = large_study(folder, jobs)
    return count, {
        "python -m pipelines plan": cost(place, "-m", "pipelines", "plan", place / "large.yaml"),
        "snakemake --dry-run": cost(
            place, *SNAKEMAKE, "--directory", place, "reproduce_all", "--dry-run", "--quiet", "all"
        ),
    }


BOUNDS: dict[str, dict[str, float]] = {
    "python -m pipelines plan": {"seconds": 60, "mib": 2 * GIB},
    "snakemake --dry-run": {"seconds": 120},
}
"""At most, of the full number of jobs."""


def rows(count: int, costs: dict[str, Cost]) -> list[dict[str, Any]]:
    """Processor seconds and memory of each command; bounds are those of the full number, and hold for fewer."""
    found = []
    for command, used in costs.items():
        bounds = BOUNDS[command]
        found.append(row(f"`{command}`, {count:,} jobs", used.seconds, "CPU s", at_most=bounds["seconds"]))
        found.append(row(f"`{command}`, {count:,} jobs: memory", used.mib, "MiB", at_most=bounds.get("mib")))
    return found


def main() -> None:
    parser = arguments_of(__doc__)
    parser.add_argument("--jobs", type=int, help=f"size of the study (default: {JOBS}, quick: {QUICK})")
    arguments = parser.parse_args()
    jobs = arguments.jobs or (QUICK if arguments.quick else JOBS)
    what = "Processor seconds of a command and of the processes it waited for, memory of the largest of them; one run each."
    report = Report("many_jobs", what, ("snakemake", "pydantic"), {"jobs": jobs}, arguments.quick)
    with tempfile.TemporaryDirectory() as name:
        count, costs = measure(Path(name) / "large", jobs)
    raw = {command: asdict(used) for command, used in costs.items()}
    report.finish(rows(count, costs), {"jobs": count, "costs": raw}, arguments.json)


if __name__ == "__main__":
    main()
