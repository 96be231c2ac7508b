"""Trainings whose parts die or whose images are damaged under them: the next attempt ends with the bytes of a whole run."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from pretraining_tools import ENVIRONMENT, Shards, lines, stage

from pipelines.files import sha256_file

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("runs")]


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Shards:
    """A pretraining with its shards made."""
    return Shards.made(tmp_path_factory.mktemp("shards") / "Ergebnisse für mich, 図")


@pytest.fixture(scope="module")
def whole(shards, tmp_path_factory) -> str:
    """SHA-256 of the weights that nobody disturbed."""
    job = shards.copy(tmp_path_factory.mktemp("whole"))
    subprocess.run(stage("pretrain", job), env=ENVIRONMENT, check=True, timeout=300)
    return sha256_file(job / "encoder.safetensors")


def begun(job: Path, processes: int = 1) -> subprocess.Popen[str]:
    """A pretraining after its first steps."""
    process = subprocess.Popen(
        stage("pretrain", job, processes), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 200
    while lines(job / "history.jsonl") < 4:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [int(child) for child in found]


def test_a_killed_data_worker_ends_the_attempt_and_the_results_folder_may_move_before_the_next(shards, whole, tmp_path):
    job = shards.copy(tmp_path / "here")
    process = begun(job)
    os.kill(children(process.pid)[-1], signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "worker" in told
    assert not (job / "record.json").exists()
    moved = tmp_path / "anderswo, mit Leerzeichen"
    shutil.move(tmp_path / "here", moved)
    job = moved / job.relative_to(tmp_path / "here")
    subprocess.run(stage("pretrain", job), env=ENVIRONMENT, check=True, timeout=200)
    assert sha256_file(job / "encoder.safetensors") == whole


def test_one_of_two_ranks_that_is_killed_takes_the_other_with_it_and_leaves_no_record(shards, tmp_path):
    job = shards.copy(tmp_path)
    process = begun(job, processes=2)
    ranks = children(process.pid)
    os.kill(ranks[-1], signal.SIGKILL)
    process.communicate(timeout=100)
    assert process.returncode != 0
    assert not [rank for rank in ranks if Path(f"/proc/{rank}").exists()]
    assert not (job / "record.json").exists()
    subprocess.run(stage("pretrain", job, 2), env=ENVIRONMENT, check=True, timeout=200)


@pytest.mark.parametrize("there", [True, False], ids=["changed", "truncated"])
def test_a_tar_that_is_damaged_in_mid_run_is_named_and_nothing_learned_from_it_is_kept(shards, whole, tmp_path, there):
    job = shards.copy(tmp_path)
    packed = tmp_path / "jobs" / "shards"
    packed.unlink()
    shutil.copytree(shards.results / "jobs" / "shards", packed)
    (tar,) = packed.glob("*/train-*.tar")
    good = tar.read_bytes()
    process = begun(job)
    with tar.open("r+b") as file:  # in place: the trainer has it open
        if there:
            file.seek(600)
            file.write(bytes(8))
        else:
            file.truncate(2000)
    _, told = process.communicate(timeout=100)
    assert process.returncode == 1, told
    assert "Traceback" not in told
    assert str(tar.parent) in told
    assert f"rebuild it with: python -m pipelines shards --job {tar.parent}" in told
    assert not (job / "record.json").exists()
    again = subprocess.run(stage("pretrain", job), env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert again.returncode == 1
    assert tar.name in again.stderr
    subprocess.run(stage("shards", tar.parent), env=ENVIRONMENT, check=True, timeout=100)
    assert tar.read_bytes() == good
    subprocess.run(stage("pretrain", job), env=ENVIRONMENT, check=True, timeout=200)
    assert sha256_file(job / "encoder.safetensors") == whole
