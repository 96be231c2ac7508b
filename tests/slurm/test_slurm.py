"""The literal cluster command on a real Slurm: jobs run there, failures are noticed and told, reruns do the rest."""

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

from slurm import memory

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
    quiet = {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": str(ROOT)}
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
    with running_cluster(limits=memory.limited()) as running:
        yield running


def toy(folder: Path) -> Path:
    """Put the project's own profile and a workflow of three jobs into a folder."""
    shutil.copytree(ROOT / "slurm", folder / "slurm")
    shutil.copy(Path(__file__).parent / "toy.smk", folder / "Snakefile")
    return folder


@pytest.fixture(scope="module")
def finished(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """The toy's folder after the literal command, and that run; leaf b failed at its first attempt."""
    folder = toy(tmp_path_factory.mktemp("toy"))
    (folder / "flaky").touch()
    run = snakemake(folder, *COMMAND)
    assert run.code == 0, run.text
    return folder, run


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
    """Slurm's own account of the finished jobs submitted from ``folder``: job id -> its fields."""
    finished = cluster.folder / "finished-jobs.txt"  # squeue and scontrol forget a job after MinJobAge
    fields = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in finished.read_text().splitlines()]
    return {one["JobId"]: one for one in fields if one["WorkDir"] == str(folder)}


def submitted(run: Run) -> dict[str, str]:
    """Job id -> rule, of the jobs a run gave to Slurm."""
    pattern = r"submitted with SLURM jobid (\d+) \(log: \S+/slurm_logs/rule_(\w+)/"
    return {number: rule for number, rule in re.findall(pattern, run.text)}


def requests(cluster: Cluster, number: str) -> tuple[str, str]:
    """The memory and the time that a job asked for."""
    told = dict(re.findall(r"(\w+)=(\S*)", cluster.ask("scontrol", "show", "job", number)))
    return told["MinMemoryNode"], told["TimeLimit"]


def test_the_node_is_idle_within_seconds(cluster: Cluster):
    assert cluster.ask("sinfo", "-h", "-p", "main", "-o", "%T").strip() == "idle"
    assert cluster.start_seconds < 60


def test_jobs_run_under_slurm_with_the_gpus_asked_for(cluster: Cluster, finished: tuple[Path, Run]):
    folder, run = finished
    ids = {name: (folder / "results" / f"{name}.txt").read_text().split()[0] for name in ("leaf_a", "leaf_b", "total")}
    known = jobs(cluster, folder)
    assert sorted(known) == sorted(submitted(run))
    assert {known[number]["JobState"] for number in ids.values()} == {"COMPLETED"}
    assert "TresPerJob=gres:gpu:1" in cluster.ask("scontrol", "show", "job", ids["leaf_a"])


def test_a_job_that_fails_once_is_submitted_anew_as_it_was(cluster: Cluster, finished: tuple[Path, Run]):
    folder, run = finished
    assert sorted(submitted(run).values()) == ["leaf", "leaf", "leaf", "total"]
    assert sorted(one["JobState"] for one in jobs(cluster, folder).values()) == ["COMPLETED"] * 3 + ["FAILED"]
    assert {requests(cluster, number) for number, rule in submitted(run).items() if rule == "leaf"} == {
        ("1000M", "00:01:00")
    }


def test_a_job_that_met_its_time_limit_gets_more_time_and_no_more_memory(cluster: Cluster, tmp_path: Path):
    folder = toy(tmp_path)
    (folder / "slow").touch()
    run = snakemake(folder, *COMMAND)
    assert run.code == 0, run.text
    assert "SLURM status is: 'TIMEOUT'" in run.text
    assert sorted(submitted(run).values()) == ["leaf", "leaf", "leaf", "total"]
    last = max((number for number, rule in submitted(run).items() if rule == "leaf"), key=int)
    assert requests(cluster, last) == ("1000M", "00:02:00")


def test_a_job_that_ran_out_of_memory_gets_more_memory_and_no_more_time(cluster: Cluster, tmp_path: Path):
    """Slurm calls it FAILED: the rule runs in a step of the job, and the step alone is called OUT_OF_MEMORY."""
    if not memory.limited():
        pytest.skip("memory cgroups of version 1 cannot be made here")
    folder = toy(tmp_path)
    (folder / "hungry").touch()
    run = snakemake(folder, *COMMAND)
    assert run.code == 0, run.text
    assert sorted(submitted(run).values()) == ["leaf", "leaf", "leaf", "total"]
    last = max((number for number, rule in submitted(run).items() if rule == "leaf"), key=int)
    assert requests(cluster, last) == ("2000M", "00:01:00")


def test_a_job_that_fails_again_is_told_and_not_tried_a_third_time(cluster: Cluster, tmp_path: Path):
    folder = toy(tmp_path)
    (folder / "broken").touch()
    run = snakemake(folder, *COMMAND)
    assert run.code == 1, run.text
    assert sorted(submitted(run).values()) == ["leaf", "leaf", "leaf"]
    assert "the disk is full" in run.text


def test_a_rerun_does_only_what_is_missing(finished: tuple[Path, Run], tmp_path: Path):
    folder = shutil.copytree(finished[0], tmp_path / "copy")
    leaf = (folder / "results" / "leaf_a.txt").read_text()
    (folder / "results" / "total.txt").unlink()
    again = snakemake(folder, *COMMAND)
    assert again.code == 0, again.text
    assert list(submitted(again).values()) == ["total"]
    assert (folder / "results" / "leaf_a.txt").read_text() == leaf
    nothing = snakemake(folder, *COMMAND)
    assert "Nothing to be done" in nothing.text
    assert not submitted(nothing)


def test_a_failing_job_is_noticed_within_a_minute_and_told_with_its_log(cluster: Cluster, tmp_path: Path):
    folder = toy(tmp_path)
    (folder / "broken").touch()
    run = snakemake(folder, "--retries", "0", *COMMAND)
    assert run.code == 1, run.text
    assert run.time_of("Error in rule leaf") - float((folder / "broken").read_text()) < NOTICE_SECONDS
    assert "SLURM status is: 'FAILED'" in run.text
    assert "the disk is full" in run.text  # the rule's own log, printed
    slurm_log = re.search(r"log: logs/leaf_b.log, (\S+\.log)", run.text)
    assert slurm_log
    assert Path(slurm_log[1]).exists()  # and Slurm's own, named and kept
    assert (folder / "results" / "leaf_a.txt").exists()  # the others went on
    assert not (folder / "results" / "total.txt").exists()


def test_a_small_study_from_raw_images_to_report(cluster: Cluster, checkout: Path):
    first = snakemake(checkout, *COMMAND)
    assert first.code == 0, first.text
    known = jobs(cluster, checkout)
    assert {one["JobState"] for one in known.values()} == {"COMPLETED"}
    assert sorted(known) == sorted(submitted(first))
    assert sorted(submitted(first).values()) == ["evaluate", "pretrain", "report", "shards"]
    assert (checkout / "results" / "study" / "report.html").stat().st_size > 10_000

    assert "Nothing to be done" in snakemake(checkout, *COMMAND).text
    (checkout / "results" / "study" / "report.html").unlink()
    second = snakemake(checkout, *COMMAND)
    assert second.code == 0, second.text
    assert list(submitted(second).values()) == ["report"]
