"""What befalls a pretraining on a cluster: signals, preemption, two nodes, a drained node, a controller that restarts.

Two nodes on loopback with accounting. After each the weights are those of a run that nobody disturbed.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pretraining_tools import ENVIRONMENT, Shards, lines, stage
from slurm.cluster import ADMIN_PATH, Cluster, obstacle, running_cluster
from slurm.test_slurm import COMMAND, jobs, snakemake, submitted, toy

from pipelines.files import sha256_file
from pipelines.records import read_record
from slurm import accounts

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("slurm")]
SECONDS = 20  # the promise is ten on a machine of its own, where it takes two; tests share theirs
STEP = ("srun", "-n1")
"""How the executor plugin runs a rule. Slurm signals steps; srun, if it is signalled itself, kills what it started."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes, with accounting where MariaDB and slurmdbd are installed."""
    if reason := obstacle():
        if os.environ.get("REQUIRE_SLURM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with running_cluster(2, accounting=has_accounting()) as running:
        yield running


def has_accounting() -> bool:
    path = f"{os.environ['PATH']}:{ADMIN_PATH}"
    return all(shutil.which(name, path=path) for name in accounts.PROGRAMS)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Shards:
    """A pretraining with its shards made."""
    return Shards.made(tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="module")
def whole(shards: Shards, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of its weights when nobody disturbs it."""
    job = shards.copy(tmp_path_factory.mktemp("whole"))
    subprocess.run(stage("pretrain", job), env=ENVIRONMENT, check=True, timeout=300)
    return sha256_file(job / "encoder.safetensors")


def submit(folder: Path, *command: str, options: tuple[str, ...] = ()) -> str:
    """The number of a batch job that runs a command; its output goes to slurm-NUMBER.out in the folder."""
    line = ["sbatch", "--parsable", "--requeue", "--mem=2000", f"--chdir={folder}", *options]
    script = "#!/bin/bash\nexec " + subprocess.list2cmdline(command)
    done = subprocess.run(line, input=script, env=ENVIRONMENT, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def until(what: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def state(cluster: Cluster, number: str) -> str:
    return cluster.ask("squeue", "-h", "--states=all", "-j", number, "-o", "%T").strip()


def ended(cluster: Cluster, number: str, seconds: float = 120.0) -> str:
    """A job's state at its end."""
    until(lambda: state(cluster, number) not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"), seconds)
    return state(cluster, number)


def training(job: Path) -> None:
    """Wait for some more steps."""
    before = lines(job / "history.jsonl")
    until(lambda: lines(job / "history.jsonl") >= before + 4)


def finish(cluster: Cluster, job: Path, command: list[str], whole: str, attempts: int) -> None:
    assert ended(cluster, submit(job, *command)) == "COMPLETED"
    assert sha256_file(job / "encoder.safetensors") == whole
    assert read_record(job).derived["attempts"] == attempts


@pytest.mark.parametrize(
    ("step", "to"), [((), ("--full",)), (STEP, ())], ids=["in the batch step", "in a step of its own"]
)
def test_sigterm_to_all_of_a_job_saves_within_ten_seconds(cluster, shards, whole, tmp_path, step, to):
    job = shards.copy(tmp_path)
    command = [*step, *stage("pretrain", job)]
    number = submit(job, *command)
    training(job)
    begin = time.monotonic()
    cluster.ask("scancel", *to, "--signal=TERM", number)
    assert ended(cluster, number) == "FAILED"
    assert time.monotonic() - begin < SECONDS
    assert (job / "checkpoint.pt").exists()
    finish(cluster, job, command, whole, 2)


@pytest.mark.parametrize("partition", ["main", "graceful"])
def test_a_preempted_pretraining_saves_is_requeued_and_goes_on(cluster, shards, whole, tmp_path, partition):
    job = shards.copy(tmp_path)
    options = ("--nodelist=node1", "--exclusive", f"--partition={partition}")
    number = submit(job, *STEP, *stage("pretrain", job), options=options)
    training(job)
    urgent = submit(job, "sleep", "1", options=("--partition=urgent", "--nodelist=node1", "--exclusive"))
    assert ended(cluster, urgent) == "COMPLETED"
    assert (job / "checkpoint.pt").exists()
    until(lambda: state(cluster, number) == "PENDING")
    cluster.ask("scontrol", "update", f"JobId={number}", "StartTime=now")  # Slurm lets it wait for two minutes
    assert ended(cluster, number) == "COMPLETED"
    assert sha256_file(job / "encoder.safetensors") == whole
    assert read_record(job).derived["attempts"] == 2


def test_a_pretraining_signalled_ahead_of_its_time_limit_goes_on_as_the_same_job(cluster, shards, whole, tmp_path):
    """The signal is what ``--signal=TERM@120`` makes Slurm send, but not up to a minute early."""
    job = shards.copy(tmp_path)
    number = submit(job, *STEP, *stage("pretrain", job), options=("--time=5",))
    training(job)
    cluster.ask("scancel", "--signal=TERM", number)
    until(lambda: state(cluster, number) == "PENDING")
    assert (job / "checkpoint.pt").exists()
    cluster.ask("scontrol", "update", f"JobId={number}", "StartTime=now")
    assert ended(cluster, number) == "COMPLETED"
    assert sha256_file(job / "encoder.safetensors") == whole
    assert read_record(job).derived["attempts"] == 2


def test_one_pretraining_over_two_nodes_stops_and_goes_on(cluster, shards, tmp_path):
    job, single = shards.copy(tmp_path / "two"), shards.copy(tmp_path / "one")
    subprocess.run(stage("pretrain", single, 2), env=ENVIRONMENT, check=True, timeout=300)
    command = [*stage("pretrain", job, 2), "--nodes", "2"]
    options = ("--nodes=2", "--ntasks=2", "--ntasks-per-node=1")
    first = submit(job, *command, options=options)
    training(job)
    begin = time.monotonic()
    cluster.ask("scancel", "--signal=TERM", first)
    assert ended(cluster, first) == "FAILED"
    assert time.monotonic() - begin < SECONDS
    second = submit(job, *command, options=options)
    assert ended(cluster, second, 200) == "COMPLETED", (job / f"slurm-{second}.out").read_text()
    assert sha256_file(job / "encoder.safetensors") == sha256_file(single / "encoder.safetensors")
    assert read_record(job).derived["attempts"] == 2


def test_a_node_that_is_drained_ends_its_job_first_and_gets_no_other(cluster, shards, whole, tmp_path):
    job = shards.copy(tmp_path)
    number = submit(job, *stage("pretrain", job), options=("--nodelist=node1",))
    training(job)
    cluster.ask("scontrol", "update", "nodename=node1", "state=drain", "reason=test")
    try:
        other = submit(job, "hostname")
        assert ended(cluster, other) == "COMPLETED"
        assert "BatchHost=node2" in cluster.ask("scontrol", "show", "job", other)
        assert ended(cluster, number) == "COMPLETED"
    finally:
        cluster.ask("scontrol", "update", "nodename=node1", "state=resume")
    assert sha256_file(job / "encoder.safetensors") == whole
    assert read_record(job).derived["attempts"] == 1


def test_a_controller_of_slurm_that_restarts_disturbs_no_job(cluster, shards, whole, tmp_path):
    job = shards.copy(tmp_path)
    number = submit(job, *stage("pretrain", job))
    training(job)
    cluster.restart_controller()
    assert ended(cluster, number) == "COMPLETED"
    assert sha256_file(job / "encoder.safetensors") == whole
    assert read_record(job).derived["attempts"] == 1


def test_a_killed_slurmd_leaves_its_job_alone_and_comes_back(cluster, shards, whole, tmp_path):
    job = shards.copy(tmp_path)
    number = submit(job, *stage("pretrain", job), options=("--nodelist=node1",))
    training(job)
    cluster.kill_node("node1")
    try:
        assert ended(cluster, number) == "COMPLETED"  # slurmstepd tells slurmctld by itself
    finally:
        cluster.start_node("node1")
    assert sha256_file(job / "encoder.safetensors") == whole
    assert read_record(job).derived["attempts"] == 1
    assert ended(cluster, submit(job, "hostname", options=("--nodelist=node1",))) == "COMPLETED"


def test_a_node_that_dies_with_its_job_is_noticed_and_the_job_goes_to_another(cluster, shards, whole, tmp_path):
    done, job = shards.copy(tmp_path / "done"), shards.copy(tmp_path / "job")
    assert ended(cluster, submit(done, *stage("pretrain", done), options=("--nodelist=node1",))) == "COMPLETED"
    record = (done / "record.json").read_bytes()
    number = submit(job, *stage("pretrain", job))
    training(job)
    assert "BatchHost=node1" in cluster.ask("scontrol", "show", "job", number)
    cluster.kill_node("node1")
    steps = [each for each in psutil.process_iter(["cmdline"]) if f"[{number}." in " ".join(each.info["cmdline"] or [])]
    assert steps, "no slurmstepd of the job"
    for process in [below for step in steps for below in step.children(recursive=True)] + steps:
        process.kill()
    try:
        until(lambda: state(cluster, number) == "PENDING")  # after SlurmdTimeout
        cluster.ask("scontrol", "update", f"JobId={number}", "StartTime=now")
        assert ended(cluster, number) == "COMPLETED"
        assert "BatchHost=node2" in cluster.ask("scontrol", "show", "job", number)
    finally:
        cluster.start_node("node1")
    assert sha256_file(job / "encoder.safetensors") == whole
    assert read_record(job).derived["attempts"] == 2
    assert (done / "record.json").read_bytes() == record


def test_the_profile_with_sacct_as_its_status_command(cluster, tmp_path, monkeypatch):
    """squeue answers nobody meanwhile, so that nothing but sacct can have told how the jobs ended."""
    if not has_accounting():
        pytest.skip("not installed: apt-get install slurmdbd mariadb-server")
    folder = toy(tmp_path / "checkout")
    profile = folder / "slurm" / "config.yaml"
    text = profile.read_text()
    assert text.count("slurm-status-command: squeue") == 1
    profile.write_text(
        text.replace("slurm-status-command: squeue", "slurm-status-command: sacct").replace(
            "#   slurm_account: my_project", "  slurm_account: tests"
        )
    )
    (tmp_path / "squeue").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "squeue").chmod(0o755)
    (folder / "flaky").touch()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        run = snakemake(folder, *COMMAND)
        (folder / "broken").touch()
        (folder / "results" / "leaf_b.txt").unlink()
        (folder / "results" / "total.txt").unlink()
        told = snakemake(folder, "--retries", "0", *COMMAND)
    assert run.code == 0, run.text
    assert sorted(submitted(run).values()) == ["leaf", "leaf", "leaf", "total"]
    assert sorted(one["JobState"] for one in jobs(cluster, folder).values()) == ["COMPLETED"] * 3 + ["FAILED"] * 2
    assert told.code == 1
    assert "SLURM status is: 'FAILED'" in told.text
    assert "the disk is full" in told.text
    assert told.time_of("Error in rule leaf") - float((folder / "broken").read_text()) < 60


def test_accounting_knows_how_jobs_ended(cluster, tmp_path):
    if not has_accounting():
        pytest.skip("not installed: apt-get install slurmdbd mariadb-server")
    good, bad = (submit(tmp_path, command, options=("--account=tests",)) for command in ("true", "false"))
    assert [ended(cluster, good), ended(cluster, bad)] == ["COMPLETED", "FAILED"]

    def told(number: str) -> str:
        return cluster.ask("sacct", "-X", "-n", "-P", "-j", number, "-o", "State,Account").strip()

    until(lambda: [told(good), told(bad)] == ["COMPLETED|tests", "FAILED|tests"], 30)
