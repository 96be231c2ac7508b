"""Trainings whose parts die or whose images are damaged under them: the next attempt ends with the bytes of a whole run."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from damage_tools import Finished
from pretraining_tools import ENVIRONMENT, Shards, lines, stage

from pipelines.advice import rebuild
from pipelines.files import sha256_file
from pipelines.records import read_record

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("runs")]
PER_EPOCH = 4
"""Steps of its epochs."""


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


def begun(job: Path, processes: int = 1, steps: int = 4) -> subprocess.Popen[str]:
    """A pretraining after its first steps."""
    process = subprocess.Popen(
        stage("pretrain", job, processes), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 200
    while lines(job / "history.jsonl") < steps:
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
    job = shards.copy(tmp_path / "hier, für mich")
    packed = job.parents[1] / "shards"
    packed.unlink()
    shutil.copytree(shards.results / "jobs" / "shards", packed)
    (tar,) = packed.glob("*/train-*.tar")
    good = tar.read_bytes()
    process = begun(job, steps=3 * PER_EPOCH)
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
    advice = rebuild(tar.parent)
    assert advice in told
    assert not (job / "record.json").exists()
    again = subprocess.run(stage("pretrain", job), env=ENVIRONMENT, capture_output=True, text=True, timeout=100)
    assert again.returncode == 1
    assert tar.name in again.stderr
    line = advice.removeprefix("rebuild it with: ").replace("python", shlex.quote(sys.executable), 1)
    subprocess.run(line, shell=True, env=ENVIRONMENT, check=True, timeout=100)  # as it stands, blanks and all
    assert tar.read_bytes() == good
    subprocess.run(stage("pretrain", job), env=ENVIRONMENT, check=True, timeout=200)
    assert sha256_file(job / "encoder.safetensors") == whole


def test_a_training_that_stands_still_for_half_a_minute_goes_on(shards, whole, tmp_path):
    job = shards.copy(tmp_path)
    process = begun(job)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(30)
    os.killpg(process.pid, signal.SIGCONT)
    assert process.wait(timeout=100) == 0
    assert sha256_file(job / "encoder.safetensors") == whole
    assert read_record(job).derived["attempts"] == 1


def left(results: Path) -> dict[str, bytes]:
    """Weights, predictions and tars, by path."""
    kinds = ("encoder.safetensors", "predictions.npz", "best.json", "*.tar")
    return {str(path.relative_to(results)): path.read_bytes() for kind in kinds for path in results.rglob(kind)}


def test_a_study_under_umask_077_typed_in_another_folder_gives_the_same_and_opens_nothing(tmp_path):
    """Every path is relative, has a blank and a letter that is no ASCII, and leads up from where the commands are typed."""
    ordinary = Finished.made(tmp_path / "ordinary")
    place, there = tmp_path / "Daten für später", tmp_path / "anderswo" / "tief"
    there.mkdir(parents=True)
    place.mkdir()
    shutil.copy(ordinary.file, place / "tiny.yaml")
    up = os.path.relpath(place, there)

    def typed(*line: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", *line],
            cwd=there,
            env=ENVIRONMENT,
            umask=0o077,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    typed("plan", f"{up}/tiny.yaml", "--write", "--results", f"{up}/results")
    for job in ordinary.plan.jobs.values():
        typed(job.stage, "--job", str(job.folder(Path(up) / "results")))
    assert "0 faults" in typed("verify", f"{up}/tiny.yaml", "--results", f"{up}/results")
    assert left(place / "results") == left(ordinary.results)
    assert list(there.iterdir()) == []
    files = [path for path in (place / "results").rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o077) for path in files} == {"0o0"}
