"""Many jobs in the queue of a real Slurm on loopback: the controller's memory and lag, and what a killed one leaves.

    python benchmarks/slurm_many.py --jobs 2000 --json benchmarks/results/slurm_many.json

slurmctld is real, and every node a slurmd of its own on this machine. So are Snakemake with the slurm profile, sbatch,
squeue and the lease on each job's folder. What stands in is the work: a job takes its lease, sleeps and leaves its record,
without the two starts of Snakemake that a real one pays for, which a machine that plays all nodes at once could not
afford. When a third of the records is there the controller is killed (SIGKILL), and the command is given again at once.
Needs what tests/slurm needs (slurm-wlm, munge, root).
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import ROOT, Report, arguments_of, row

NODES, CPUS, QUEUED, SLEEP, QUICK_JOBS = 8, 16, 200, 20.0, 12
WORKFLOW = """
import sys
sys.path.insert(0, {root!r})
from pipelines.launching.polling import look_often

look_often()


rule reproduce_all:
    default_target: True
    input: expand("done/{{number}}", number=range({jobs}))

rule one:
    output: "done/{{number}}"
    resources: mem_mb=100
    shell: "false  # sbatch puts another line in this one's place"
"""
SBATCH = """#!/bin/bash
# The sbatch of the benchmark: what a job would run becomes its stand-in.
asked=()
for word in "$@"; do
  if [[ $word == --wrap=* ]]; then
    [[ $word =~ one:number=([0-9]+) ]] || exit 9
    word="--wrap={python} {job} {folder} ${{BASH_REMATCH[1]}} {sleep}"
  fi
  asked+=("$word")
done
exec {sbatch} "${{asked[@]}}"
"""
JOB = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from pipelines.lease import leased

folder, number, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
place = folder / "jobs" / number
place.mkdir(parents=True, exist_ok=True)
with leased(place):
    if not (place / "record").exists():
        with (place / "attempts").open("a") as file:
            file.write("1")
        time.sleep(seconds)
        (place / "record").touch()
(folder / "done").mkdir(exist_ok=True)
(folder / "done" / number).touch()
"""


@dataclass
class Seen:
    """What was watched while the jobs ran: most memory in MiB, and when the controller told of each job's end."""

    controller: float = 0.0
    slurmctld: float = 0.0
    told: dict[str, float] = field(default_factory=dict)
    submitted: int = 0


def prepared(folder: Path, jobs: int, sleep: float) -> dict[str, str]:
    """Profile, workflow and stand-ins in a folder; the environment to run Snakemake in."""
    shutil.copytree(ROOT / "slurm", folder / "slurm")
    (folder / "Snakefile").write_text(WORKFLOW.format(root=str(ROOT), jobs=jobs))
    (folder / "job.py").write_text(JOB.format(root=str(ROOT)))
    bin, real = folder / "bin", shutil.which("sbatch")
    bin.mkdir()
    values = {"python": sys.executable, "job": folder / "job.py", "folder": folder, "sleep": sleep, "sbatch": real}
    (bin / "sbatch").write_text(SBATCH.format(**values))
    (bin / "sbatch").chmod(0o755)
    path = os.pathsep.join([str(bin), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path}


def controlled(folder: Path, environment: dict[str, str], seen: Seen, slurmctld: int, kill_at: int | None) -> int:
    """Run the command until it ends, or kill it when so many records are there; its status."""
    log = folder / "controller.log"
    command = ["snakemake", "--profile", "slurm", "--jobs", str(QUEUED), "--", "reproduce_all"]
    start = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    with log.open() as lines:
        lines.seek(start)
        names: dict[str, str] = {}
        while process.poll() is None:
            time.sleep(0.5)
            seen.controller = max(seen.controller, _mib(process.pid))
            seen.slurmctld = max(seen.slurmctld, _mib(slurmctld))
            _read(lines.read(), names, seen)
            if kill_at and len(list(folder.glob("jobs/*/record"))) >= kill_at:
                process.send_signal(signal.SIGKILL)
                process.wait()
        _read(lines.read(), names, seen)
    return process.returncode


def _read(text: str, names: dict[str, str], seen: Seen) -> None:
    """Take what the log says of jobs: which number Snakemake's id stands for, what was submitted, what has ended."""
    for line in text.splitlines():
        if found := re.search(r"^\s*jobid: (\d+)", line):
            names["last"] = found[1]
        elif found := re.search(r"^\s*wildcards: number=(\d+)", line):
            names[names.get("last", "")] = found[1]
        elif "submitted with SLURM jobid" in line:
            seen.submitted += 1
        elif (found := re.search(r"Finished jobid: (\d+)", line)) and found[1] in names:
            seen.told.setdefault(names[found[1]], time.time())


def _mib(process: int) -> float:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def rows(folder: Path, jobs: int, seen: Seen, seconds: float, adopted: int) -> list[dict[str, Any]]:
    """The table: what was lost or done twice, memory, and seconds from a job's end to the controller's word of it."""
    attempts = [len(path.read_text()) for path in folder.glob("jobs/*/attempts")]
    lags = [when - (folder / "jobs" / name / "record").stat().st_mtime for name, when in seen.told.items()]
    return [
        row("jobs", jobs),
        row("jobs without a record at the end", jobs - len(list(folder.glob("jobs/*/record"))), at_most=0),
        row("jobs whose work was done twice", sum(count > 1 for count in attempts), at_most=0),
        row("running when the controller was killed, and adopted", adopted),
        row("from the command to the last record", seconds, "s"),
        row("memory of Snakemake, most", seen.controller, "MiB"),
        row("memory of slurmctld, most", seen.slurmctld, "MiB"),
        row("a job's end is told after, median", statistics.median(lags), "s"),
        row("a job's end is told after, most", max(lags), "s"),
    ]


def main() -> int:
    parser = arguments_of(__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    arguments = parser.parse_args()
    sys.path.insert(1, str(ROOT / "tests"))
    from slurm.cluster import running_cluster

    jobs = QUICK_JOBS if arguments.quick else arguments.jobs
    what = f"{NODES} nodes of {CPUS} cores on one machine, at most {QUEUED} jobs in the queue, each sleeps {SLEEP:g} s."
    settings = {"nodes": NODES, "cpus": CPUS, "queued": QUEUED, "sleep": SLEEP, "jobs": jobs}
    packages = ("snakemake", "snakemake-executor-plugin-slurm")
    report = Report("slurm_many", what, packages, settings, arguments.quick)
    with tempfile.TemporaryDirectory() as name, running_cluster(NODES, CPUS) as cluster:
        folder, seen, begin = Path(name), Seen(), time.monotonic()
        environment = prepared(folder, jobs, SLEEP)
        (daemon,) = cluster.controller
        status = controlled(folder, environment, seen, daemon.pid, kill_at=jobs // 3)
        assert status == -signal.SIGKILL, (folder / "controller.log").read_text()[-3000:]
        running = int(cluster.ask("squeue", "-h", "-t", "RUNNING", "-o", "%i").count("\n"))
        unlock = ["snakemake", "--unlock", "reproduce_all"]
        subprocess.run(unlock, cwd=folder, env=environment, check=True, capture_output=True)
        status = controlled(folder, environment, seen, daemon.pid, kill_at=None)
        found = rows(folder, jobs, seen, time.monotonic() - begin, running)
        tail = (folder / "controller.log").read_text()[-3000:] if status else ""
    report.finish(found, {"status": status, "submitted": seen.submitted, "told": len(seen.told)}, arguments.json)
    print(tail)
    return status


if __name__ == "__main__":
    sys.exit(main())
