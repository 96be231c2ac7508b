"""Asked to end as Slurm, torchrun and a keyboard ask: everybody, the launcher alone, or one process of several.

Each time data workers decode the images, so that they get the signal too; the next attempt ends with the weights of a
run that nobody disturbed.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from pretraining_tools import ENVIRONMENT, Shards, lines, stage

from pipelines.files import sha256_file
from pipelines.records import read_record

SECONDS = 20  # the promise is ten on a machine of its own, where it takes two; tests share theirs
pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Shards:
    """A pretraining with its shards made."""
    return Shards.made(tmp_path_factory.mktemp("shards"))


def started(job: Path, processes: int) -> subprocess.Popen[bytes]:
    """A pretraining in a session of its own, after some steps. Like a shell, it does not ignore SIGINT."""
    process = subprocess.Popen(
        stage("pretrain", job, processes),
        env=ENVIRONMENT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    history, deadline = job / "history.jsonl", time.monotonic() + 200
    before = lines(history)
    while lines(history) < before + 4:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def family(pid: int) -> list[int]:
    """The process and all below it, data workers included: those that Slurm signals."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid, *(each for child in children for each in family(int(child)))]


def everybody(process: subprocess.Popen[bytes]) -> list[int]:
    """What scancel, a time limit and a preemption signal."""
    return family(process.pid)


def launcher(process: subprocess.Popen[bytes]) -> list[int]:
    """The process that was started, alone."""
    return [process.pid]


def one_rank(process: subprocess.Popen[bytes]) -> list[int]:
    """The second of the processes that torchrun started."""
    line = ["ps", "-o", "pid=", "--ppid", str(process.pid)]
    return [int(subprocess.run(line, capture_output=True, text=True).stdout.split()[-1])]


CHAINS = {
    1: [(everybody, signal.SIGTERM, 143), (everybody, signal.SIGINT, 130)],
    2: [(everybody, signal.SIGTERM, 1), (launcher, signal.SIGINT, 1), (one_rank, signal.SIGTERM, 1)],
}
"""Number of processes -> whom to send which signal in one attempt after the other, and the exit status."""


@pytest.mark.parametrize("processes", CHAINS)
def test_a_pretraining_saves_within_ten_seconds_and_goes_on(shards, tmp_path, processes):
    whole, job = shards.copy(tmp_path / "whole"), shards.copy(tmp_path / "disturbed")
    subprocess.run(stage("pretrain", whole, processes), env=ENVIRONMENT, check=True, timeout=300)
    saved = 0
    for whom, number, status in CHAINS[processes]:
        process = started(job, processes)
        asked, begin = whom(process), time.monotonic()
        for pid in asked:
            os.kill(pid, number)
        assert process.wait(timeout=60) == status
        assert time.monotonic() - begin < SECONDS
        assert not (job / "record.json").exists()
        before, saved = saved, torch.load(job / "checkpoint.pt", weights_only=True)["step"]
        assert before < saved
    last = started(job, processes)
    os.killpg(last.pid, signal.SIGSTOP)  # torchrun's processes, in sessions of their own, wait for nobody
    time.sleep(2)
    os.killpg(last.pid, signal.SIGCONT)
    assert last.wait(timeout=200) == 0
    assert sha256_file(job / "encoder.safetensors") == sha256_file(whole / "encoder.safetensors")
    assert read_record(job).derived["attempts"] == len(CHAINS[processes]) + 1
    assert read_record(whole).derived["attempts"] == 1


def test_before_training_there_is_nothing_to_save_and_the_process_ends_at_once(shards, tmp_path):
    job = shards.copy(tmp_path)
    process = subprocess.Popen(stage("pretrain", job), env=ENVIRONMENT, stderr=subprocess.PIPE)
    time.sleep(1.0)
    process.terminate()
    assert process.wait(timeout=SECONDS) in (143, -signal.SIGTERM)
    assert process.stderr
    assert b"Traceback" not in process.stderr.read()


ERROR = """
import sys
from pathlib import Path
from pipelines.sources.loader import Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
data = Streaming(open_shards(Path(sys.argv[1])), Order(batch_size=8, seed=0), workers=2)
batches = data.epoch(0)
next(batches)
raise RuntimeError("an error that nobody foresaw")
"""


def test_an_error_does_not_wait_for_workers_that_ignore_signals(shards):
    folder = next((shards.results / "jobs" / "shards").iterdir())
    command = [sys.executable, "-c", ERROR, str(folder)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "nobody foresaw" in done.stderr


def test_a_second_start_waits_for_the_first_and_trains_nothing(shards, tmp_path):
    """As after a controller that was killed: its jobs run on, and the next one submits them again."""
    job = shards.copy(tmp_path)
    first, told = started(job, 1), tmp_path / "told.txt"
    first.send_signal(signal.SIGSTOP)  # it must not end before the second one has looked
    with told.open("w") as stderr:
        second = subprocess.Popen(
            stage("pretrain", job), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    while f"process {first.pid} on" not in told.read_text():
        assert second.poll() is None, "the second start did not wait"
        time.sleep(0.05)
    first.send_signal(signal.SIGCONT)
    assert first.wait(timeout=60) == 0
    said, _ = second.communicate(timeout=200)
    assert second.returncode == 0
    assert "done already" in said
    assert read_record(job).derived["attempts"] == 1


def test_a_killed_one_is_followed_at_once(shards, tmp_path):
    job = shards.copy(tmp_path)
    first = started(job, 1)
    first.kill()
    first.wait()
    subprocess.run(stage("pretrain", job), env=ENVIRONMENT, check=True, timeout=60)
    assert read_record(job).derived["attempts"] == 2
