"""The literal cluster command on a real Slurm: jobs run there, failures are noticed and told, reruns do the rest."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm.cluster import Cluster, obstacle, running_cluster

ROOT = Path(__file__).parents[2]
STUDY = Path(__file__).parent / "study.yaml"
COMMAND = ("--profile", "slurm", "reproduce_all")
CHECKOUT = ("Snakefile", "slurm", "workflow", "pipelines", "experiments", "reports", "conda_envs")
NOTICE_SECONDS = 60

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("slurm")]


@dataclass(frozen=True)
class Run:
    """A finished snakemake: exit code, and the lines it printed with the time each came (Unix seconds)."""

    code: int
    lines: list[tuple[float, str]]

    @property
    def text(self) -> str:
        return "".join(line for _, line in self.lines)

    def time_of(self, part: str) -> float:
        """When the first line with ``part`` came."""
        return next(when for when, line in self.lines if part in line)


def snakemake(folder: Path, *arguments: str) -> Run:
    """Run snakemake in ``folder`` as a user would who has activated .venv."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["snakemake", *arguments]
    quiet = {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **quiet, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    with process, process.stdout:
        lines = [(time.time(), line) for line in process.stdout]
    return Run(process.returncode, lines)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The running cluster; REQUIRE_SLURM=1 (as in .ci/run) makes its absence a failure instead of a skip."""
    if reason := obstacle():
        if os.environ.get("REQUIRE_SLURM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with running_cluster() as running:
        yield running


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A folder with the project's own profile and a workflow of three jobs."""
    shutil.copytree(ROOT / "slurm", tmp_path / "slurm")
    shutil.copy(Path(__file__).parent / "toy.smk", tmp_path / "Snakefile")
    return tmp_path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh copy of what a clone holds, set to run the small study."""
    for name in CHECKOUT:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    shutil.copy(STUDY, tmp_path / "experiments" / "study.yaml")
    config = tmp_path / "workflow" / "config.yaml"
    text = config.read_text()
    assert "studies: [experiments/quickstart.yaml]" in text
    config.write_text(text.replace("experiments/quickstart.yaml", "experiments/study.yaml"))
    return tmp_path


def jobs(cluster: Cluster, folder: Path) -> dict[str, dict[str, str]]:
    """Slurm's own account of the jobs submitted from ``folder``: job id -> its fields."""
    records = cluster.ask("scontrol", "--oneliner", "show", "jobs").splitlines()
    fields = [dict(re.findall(r"(\w+)=(\S*)", record)) for record in records]
    return {one["JobId"]: one for one in fields if one.get("WorkDir") == str(folder)}


def test_the_node_is_idle_within_seconds(cluster: Cluster):
    assert cluster.ask("sinfo", "-h", "-o", "%T").strip() == "idle"
    assert cluster.start_seconds < 60


def test_jobs_run_under_slurm_and_a_rerun_does_only_what_is_missing(cluster: Cluster, toy: Path):
    first = snakemake(toy, *COMMAND)
    assert first.code == 0, first.text
    ids = [(toy / "results" / name).read_text().split()[0] for name in ("leaf_a.txt", "leaf_b.txt", "total.txt")]
    known = jobs(cluster, toy)
    assert sorted(ids) == sorted(known)
    assert {one["JobState"] for one in known.values()} == {"COMPLETED"}
    assert known[ids[0]]["TresPerJob"] == "gres:gpu:1"

    (toy / "results" / "total.txt").unlink()
    second = snakemake(toy, *COMMAND)
    assert second.code == 0, second.text
    assert (toy / "results" / "leaf_a.txt").read_text().split()[0] == ids[0]
    assert len(jobs(cluster, toy)) == len(known) + 1

    assert "Nothing to be done" in snakemake(toy, *COMMAND).text
    assert len(jobs(cluster, toy)) == len(known) + 1


def test_a_failing_job_is_noticed_within_a_minute_and_told_with_its_log(cluster: Cluster, toy: Path):
    (toy / "broken").touch()
    run = snakemake(toy, "--retries", "0", *COMMAND)
    assert run.code == 1, run.text
    assert run.time_of("Error in rule leaf") - float((toy / "broken").read_text()) < NOTICE_SECONDS
    assert "SLURM status is: 'FAILED'" in run.text
    assert "the disk is full" in run.text  # the rule's own log, printed
    slurm_log = re.search(r"log: logs/leaf_b.log, (\S+\.log)", run.text)
    assert slurm_log
    assert Path(slurm_log[1]).exists()  # and Slurm's own, named and kept
    assert (toy / "results" / "leaf_a.txt").exists()  # the others went on
    assert not (toy / "results" / "total.txt").exists()


def test_a_job_that_fails_once_is_submitted_anew_with_more_memory(cluster: Cluster, toy: Path):
    (toy / "flaky").touch()
    run = snakemake(toy, *COMMAND)
    assert run.code == 0, run.text
    assert (toy / "results" / "leaf_a.txt").read_text().split()[1] == "1000"
    assert (toy / "results" / "leaf_b.txt").read_text().split()[1] == "2000"
    assert sorted(one["JobState"] for one in jobs(cluster, toy).values()) == ["COMPLETED"] * 3 + ["FAILED"]


def test_a_small_study_from_raw_images_to_report(cluster: Cluster, checkout: Path):
    first = snakemake(checkout, *COMMAND)
    assert first.code == 0, first.text
    known = jobs(cluster, checkout)
    assert {one["JobState"] for one in known.values()} == {"COMPLETED"}
    records = sorted((checkout / "results" / "jobs").glob("*/*/record.json"))
    stages = {json.loads(record.read_text())["stage"] for record in records}
    assert stages == {"shards", "tune", "pretrain", "embed", "evaluate"}
    rules = [one["Comment"].removeprefix("rule_").split("_wildcards")[0] for one in known.values()]
    twice = ["tune", "pretrain", "embed", "evaluate"]
    assert sorted(rules) == sorted(["shards", "tune_best", "collect", "report", *twice, *twice])
    assert (checkout / "results" / "study" / "report.html").stat().st_size > 10_000

    assert "Nothing to be done" in snakemake(checkout, *COMMAND).text
    evaluation = next(record for record in records if record.parts[-3] == "evaluate")
    evaluation.unlink()
    second = snakemake(checkout, *COMMAND)
    assert second.code == 0, second.text
    assert len(jobs(cluster, checkout)) == len(known) + 3  # that evaluation, collect, report
