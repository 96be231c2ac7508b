"""A clock that is set back an hour while something runs, by libfaketime: nothing waits an hour, is lost or is taken for dead.

Only the process's own clock goes back. Its files keep the true times, so that they seem to come from the future, as after a
correction of the clock, or as those of a machine whose clock is ahead.
"""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from damage_tools import STUDY
from pretraining_tools import ENVIRONMENT, Shards, lines, stage
from tracking.job_folders import finish, folder, held, level, log, opened

from pipelines.cli import main
from pipelines.files import read_json, sha256_file
from pipelines.history import read
from pipelines.records import read_record
from pipelines.spec.plan import plan_file
from pipelines.spec.writing import write_specs

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, threading, time
from pathlib import Path
time.sleep = lambda seconds: threading.Event().wait(seconds)  # libfaketime breaks the real one
from pipelines import heartbeat, lease
heartbeat.BEAT, lease.STALE = 0.05, 1.5
with lease.leased(Path(sys.argv[1])) as held:
    print("taken", flush=True)
    for _ in range(int(sys.argv[2])):
        held.check()
        time.sleep(0.02)
print("released", flush=True)
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("runs"),
    pytest.mark.skipif(not LIBRARIES, reason="not installed: apt-get install faketime"),
]


class Clock:
    """A clock that whole processes share: right, until it is set back."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_text("+0")
        self.environment = {
            **ENVIRONMENT,
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set_back(self) -> None:
        """An hour, for all processes at once."""
        self._file.write_text("-3600")


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


def until(job: Path, steps: int, process: subprocess.Popen[str]) -> None:
    """Wait for so many lines of its history."""
    deadline = time.monotonic() + 200
    while lines(job / "history.jsonl") < steps:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_clock_is_really_set_back(clock):
    line = [sys.executable, "-c", "import time; print(time.time()); input(); print(time.time(), time.monotonic())"]
    process = subprocess.Popen(line, env=clock.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    before = float(process.stdout.readline())
    clock.set_back()
    after, monotonic = map(float, process.communicate("\n", timeout=30)[0].split())
    assert abs(before - time.time()) < 60
    assert abs(after - time.time() + 3600) < 60
    assert abs(monotonic - time.monotonic()) < 60


def test_a_pretraining_in_mid_run_ends_with_the_weights_of_an_undisturbed_one(clock, tmp_path):
    shards = Shards.made(tmp_path / "shards")
    whole, job = shards.copy(tmp_path / "whole"), shards.copy(tmp_path / "disturbed")
    subprocess.run(stage("pretrain", whole), env=ENVIRONMENT, check=True, timeout=300)
    quick = {**clock.environment, "FAKETIME_NO_CACHE": "0", "FAKETIME_CACHE_DURATION": "1"}  # its workers look often
    process = subprocess.Popen(stage("pretrain", job), env=quick, stderr=subprocess.PIPE, text=True)
    until(job, 4, process)
    clock.set_back()
    assert process.poll() is None, "it ended before its clock was set back"
    second = subprocess.Popen(stage("pretrain", job), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    _, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    assert second.wait(timeout=200) == 0
    assert sha256_file(job / "encoder.safetensors") == sha256_file(whole / "encoder.safetensors")
    times = [point.time for point in read(job / "history.jsonl")]
    assert min(after - before for before, after in pairwise(times)) < -3_500_000, "its clock was not set back"
    record = read_record(job)
    assert record.derived["attempts"] == 1, "the second start took the lease"
    assert record.started <= record.finished
    assert 0 < record.seconds < 1000


def test_a_search_whose_clock_goes_back_between_and_within_trials_is_closed(clock, tmp_path):
    (tmp_path / "tiny.yaml").write_text(STUDY.replace("epochs: 1\n  methods", "epochs: 3\n  methods"))
    plan, results = plan_file(tmp_path / "tiny.yaml"), tmp_path / "results"
    write_specs(plan, results)
    assert main(["shards", "--job", str(plan.of("shards")[0].folder(results))]) == 0
    job = plan.of("tune")[0].folder(results)
    worker = subprocess.Popen(
        [*stage("tune", job), "--worker", "0"], env=clock.environment, stderr=subprocess.PIPE, text=True
    )
    until(job / "trials" / "1", 1, worker)
    clock.set_back()
    _, told = worker.communicate(timeout=200)
    assert worker.returncode == 0, told
    subprocess.run([*stage("tune", job), "--close"], env=clock.environment, check=True, timeout=200)
    trials = read_json(job / "trials.json")
    assert {trial["state"] for trial in trials} == {"COMPLETE"}
    assert min(trial["seconds"] for trial in trials) == 0.0, "no trial ran while the clock was set back"
    assert read_record(job).started <= read_record(job).finished
    assert main(["verify", str(tmp_path / "tiny.yaml"), "--results", str(results)]) == 0


def test_a_lease_is_kept_through_it_and_a_dead_ones_is_still_taken(clock, tmp_path):
    line = [sys.executable, "-c", HOLDER, str(tmp_path), "200"]
    holder = subprocess.Popen(line, cwd=ROOT, env=clock.environment, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "taken\n"
    clock.set_back()
    line[-1] = "1"
    second = subprocess.run(line, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert holder.wait(60) == 0
    assert "released" in holder.stdout.read(), "the holder lost its lease"
    assert f"process {holder.pid} on" in second.stderr, "the second did not wait"
    (tmp_path / ".lease").write_text("a-node-that-died 12 34 token\n")
    done = subprocess.run(line, cwd=ROOT, env=clock.environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("released\n"), done.stderr


def test_a_follower_goes_on_sending(clock, tmp_path):
    log(folder(tmp_path), 0)
    parent = subprocess.Popen(["sleep", "600"])
    line = [sys.executable, "-m", "pipelines", "track", "follow", "--results", str(tmp_path), "--every", "0.2"]
    quiet = {name: value for name, value in clock.environment.items() if name != "PIPELINES_TRACKING_URI"}
    follower = subprocess.Popen(
        [*line, "--parent", str(parent.pid)], cwd=ROOT, env=quiet, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 100
        while not sent(tmp_path, 1):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        clock.set_back()
        log(folder(tmp_path), 1, 2)
        while not sent(tmp_path, 3):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        finish(folder(tmp_path))
    finally:
        parent.kill()
        parent.wait()
        _, told = follower.communicate(timeout=100)
    assert follower.returncode == 0
    assert told == ""
    (run,) = level(opened(tmp_path), "seed").values()
    assert run.info.status == "FINISHED"


def sent(results: Path, steps: int) -> bool:
    """Whether MLflow holds so many steps."""
    if not (results / "mlflow.db").exists():
        return False
    experiment = opened(results)
    runs = level(experiment, "seed")
    return any(held(experiment, run, "train/loss") == [(s, 1 / (s + 1)) for s in range(steps)] for run in runs.values())
