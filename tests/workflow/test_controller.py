"""The controller killed by SIGKILL at random moments, unlocked and started again: nothing finished is lost or done twice."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from snakemake_tools import ROOT, snakemake, workplace

from pipelines.cli import main
from pipelines.files import read_json
from pipelines.records import read_record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]
KILLS = 3


def started(folder: Path) -> subprocess.Popen[bytes]:
    """The controller in a session of its own; its jobs outlive it."""
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), "--profile", str(ROOT / "local")]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    with (folder / "controller.log").open("ab") as log:
        line = [sys.executable, "-m", "snakemake", *where, "reproduce_all"]
        return subprocess.Popen(line, env=environment, stdout=log, stderr=log, start_new_session=True)


def records(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.glob("results/jobs/*/*/record.json")}


def test_a_killed_controller_costs_no_finished_work(tmp_path):
    folder, draw = workplace(tmp_path), random.Random(0)
    kept: dict[Path, bytes] = {}
    for kill in range(KILLS):
        controller, deadline = started(folder), time.monotonic() + 200
        while len(records(folder)) <= kill and controller.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with contextlib.suppress(subprocess.TimeoutExpired):
            controller.wait(draw.uniform(0.0, 6.0))
        controller.send_signal(signal.SIGKILL)
        controller.wait()
        kept |= records(folder)
        unlocked = snakemake(folder, "--unlock")
        assert unlocked.returncode == 0, unlocked.stdout + unlocked.stderr
    last = snakemake(folder)
    assert last.returncode == 0, last.stdout[-3000:] + last.stderr[-3000:]
    found = records(folder)
    assert len(kept) >= KILLS
    assert {path: found[path] for path in kept} == kept, "finished work was done again"
    assert {read_record(path.parent).derived["attempts"] for path in found if path.parts[-3] == "pretrain"} == {1}, (
        "a training was started a second time beside the first"
    )
    (trials,) = folder.glob("results/jobs/tune/*/trials.json")
    slots = [trial["slot"] for trial in read_json(trials)]
    assert slots == list(range(len(slots)))
    assert main(["verify", str(folder / "tiny.yaml"), "--results", str(folder / "results")]) == 0
    again = snakemake(folder)
    assert again.returncode == 0
    assert records(folder) == found
