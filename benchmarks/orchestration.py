"""What the machinery costs: planning 10,000 jobs, a rerun with nothing to do, and an empty job beyond its imports.

    python benchmarks/orchestration.py --json benchmarks/results/orchestration.json

The rerun is of results/quickstart where that is finished, else of the tests' tiny study, which is run first. The empty
jobs have lost their records: a shards job that finds its shards complete and a kNN of a few images; each takes turns with a
Python process that only imports the modules which that job had imported at its end.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import ROOT, Report, arguments_of, row
from benchmarks.contest import in_turn
from pipelines.spec.plan import plan_file

STUDY = """\
question: How long does planning take?
dataset: {use: fashion_mnist, image_size: 32}
encoder: {use: resnet, depth: 18, width: 16, stem: small}
methods:
  - {use: moco, queue_size: 16384, label: moco_v2}
  - {use: moco, queue_size: 16384, feature_transform: {}, label: moco_v2_ft}
grid:
  temperature: [0.05, 0.1, 0.15, 0.2, 0.3]
  training.lr_per_256: [0.01, 0.02, 0.03, 0.06, 0.12]
seeds: [SEEDS]
evaluation: [{use: knn}, {use: linear}]
floors: false
"""
"""One job of shards, and pretraining, kNN and probe for 50 settings a seed."""
JOBS_A_SEED = 150
SNAKEMAKE = ["-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--profile", ROOT / "local"]
NAMES = """
import runpy, sys
sys.argv = ["pipelines", *sys.argv[1:]]
try:
    runpy.run_module("pipelines", run_name="__main__")
finally:
    print("\\n".join(sys.modules))
"""
IMPORT = """
import contextlib, importlib, sys
for name in sys.stdin.read().split():
    with contextlib.suppress(Exception):
        importlib.import_module(name)
"""


def environment() -> dict[str, str]:
    """Of a process that is measured: it finds the package and the commands beside this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path}


def python(*arguments: object, cwd: Path | None = None, stdin: str = "") -> tuple[float, str]:
    """Seconds and output of a Python process; CalledProcessError, with the output printed, when it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], env=environment(), cwd=cwd or ROOT, input=stdin, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode:
        print(done.stdout[-3000:])
        done.check_returncode()
    return seconds, done.stdout


def workplace(folder: Path, study: str, text: str) -> Path:
    """A working folder with one study of its own, for snakemake --directory."""
    (folder / "workflow").mkdir(parents=True)
    (folder / f"{study}.yaml").write_text(text)
    config = {"studies": [f"{study}.yaml"], "results": "results", "python": None, "gpus_per_job": 0, "tracking": "off"}
    (folder / "workflow" / "config.yaml").write_text(json.dumps(config))
    return folder


def large_study(folder: Path, jobs: int) -> tuple[Path, int]:
    """A workplace with a study of about so many jobs, large.yaml, and how many they are."""
    seeds = max(1, round(jobs / JOBS_A_SEED))
    return workplace(
        folder, "large", STUDY.replace("SEEDS", ", ".join(map(str, range(seeds))))
    ), 1 + seeds * JOBS_A_SEED


def planning(folder: Path, jobs: int, repeats: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The plan command and Snakemake's dry run on a study of so many jobs."""
    place, count = large_study(folder, jobs)
    study = place / "large.yaml"
    assert len(plan_file(study).jobs) == count
    plan = in_turn({"plan": lambda: python("-m", "pipelines", "plan", study, cwd=place)[0]}, repeats)["plan"]
    dry, _ = python(*SNAKEMAKE, "--directory", place, "reproduce_all", "--dry-run", "--quiet", "all")
    rows = [
        row(f"`python -m pipelines plan`, {count:,} jobs", statistics.median(plan), "s", at_most=10),
        row(f"`snakemake --dry-run`, {count:,} jobs", dry, "s"),
    ]
    return rows, {"plan": plan, "dry_run": dry, "jobs": count}


def nothing_to_do(*where: object) -> bool:
    """Whether Snakemake finds all of the studies finished."""
    try:
        return "Nothing to be done" in python(*SNAKEMAKE, *where, "--dry-run", "reproduce_all")[1]
    except subprocess.CalledProcessError:
        return False


def rerun(tiny: Path, repeats: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Snakemake once more on a finished study: the quickstart's results here, else the tiny study's in ``tiny``."""
    name, where = "quickstart", []
    if not (ROOT / "results" / "quickstart" / "report.html").exists() or not nothing_to_do():
        name, where = "the tests' tiny study", ["--directory", tiny]
    raw = in_turn({"rerun": lambda: python(*SNAKEMAKE, *where, "reproduce_all")[0]}, repeats)
    return [row(f"rerun of {name}, all done", statistics.median(raw["rerun"]), "s", at_most=10)], raw


def job_cost(stage: str, job: Path, repeats: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A finished job without its record once more, beside a process that imports what it imported."""

    def again(*how: str) -> tuple[float, str]:
        (job / "record.json").unlink()
        return python(*how, stage, "--job", job)

    modules = again("-c", NAMES)[1]
    works = {
        "job": lambda: again("-m", "pipelines")[0],
        "imports": lambda: python("-c", IMPORT, stdin=modules)[0],
    }
    raw = in_turn(works, repeats)
    beyond = statistics.median(one - other for one, other in zip(raw["job"], raw["imports"]))
    rows = [
        row(f"empty {stage} job", statistics.median(raw["job"]), "s"),
        row(f"empty {stage} job, beyond its imports", beyond, "s", at_most=0.3),
    ]
    return rows, raw


def help_text(repeats: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The help of the heaviest stage."""
    raw = in_turn({"help": lambda: python("-m", "pipelines", "pretrain", "--help")[0]}, repeats)
    return [row("`python -m pipelines pretrain --help`", statistics.median(raw["help"]), "s", at_most=0.5)], raw


def finished_job(results: Path, study: Path, stage: str) -> Path:
    return plan_file(study).of(stage)[0].folder(results)


def main() -> None:
    parser = arguments_of(__doc__)
    parser.add_argument("--jobs", type=int, help="size of the large study (default: 10000, quick: 200)")
    arguments = parser.parse_args()
    jobs, repeats = arguments.jobs or (200 if arguments.quick else 10_000), 1 if arguments.quick else 5
    settings = {"jobs": jobs, "repeats": repeats}
    what = f"Wall-clock seconds, median of {repeats} runs after one that warms the file cache (dry run: one)."
    report = Report("orchestration", what, ("snakemake", "pydantic", "torch"), settings, arguments.quick)
    lines, raw = [], {}
    with tempfile.TemporaryDirectory() as name:
        tiny = workplace(Path(name) / "tiny", "tiny", (ROOT / "tests" / "workflow" / "tiny.yaml").read_text())
        python(*SNAKEMAKE, "--directory", tiny, "reproduce_all")
        results, study = tiny / "results", tiny / "tiny.yaml"
        parts: dict[str, Callable[[], tuple[list[dict[str, Any]], dict[str, Any]]]] = {
            "planning": lambda: planning(Path(name) / "large", jobs, repeats),
            "rerun": lambda: rerun(tiny, repeats),
            "help": lambda: help_text(repeats),
            "shards": lambda: job_cost("shards", finished_job(results, study, "shards"), repeats),
            "evaluate": lambda: job_cost("evaluate", finished_job(results, study, "evaluate"), repeats),
        }
        for part, measure in parts.items():
            print(f"{part} ...", flush=True)
            found, raw[part] = measure()
            lines += found
    report.finish(lines, raw, arguments.json)


if __name__ == "__main__":
    main()
