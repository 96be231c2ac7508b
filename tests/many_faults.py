"""Random faults, one after the other, for longer than a test suite may take: ``make faults``.

Each repetition damages one file of a finished small study and asks all its readers, then ``verify`` and ``repair``; and it
kills, signals or stops one training at a random moment and starts it again. A failure names its seed, which repeats it:
``PYTHONPATH=.:tests python tests/many_faults.py 1 SEED``.
"""

import contextlib
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from damage_tools import DAMAGES, Finished, damage
from pretraining_tools import ENVIRONMENT, Shards, lines, stage

from pipelines.cli import main
from pipelines.errors import Problem
from pipelines.files import sha256_file

STEPS = 110
"""Of about 120 that a training takes."""
UNBELIEVED = (".checked.json", "worker-0.json", ".sha256")
"""Memories and marks that verify need not tell of."""


def called(stage: str, study: Finished) -> tuple[int, str]:
    """Exit status and output of a stage on a study."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = main([stage, str(study.file), "--results", str(study.results)])
    return status, said.getvalue()


def outcome(study: Finished) -> dict[str, object] | None:
    """What the study's readers get; None where one refuses."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            return study.outcome()
        except Problem:
            return None


def damaged_file(finished: Finished, expected: dict[str, object], folder: Path, draw: random.Random) -> str:
    """One file damaged: what was done. AssertionError where it was believed, or not mended."""
    name, how, seed = draw.choice(finished.files()), draw.choice(list(DAMAGES)), draw.randrange(10**9)
    study, copy = finished.copy(folder / "read"), finished.copy(folder / "mended")
    times = (copy.results / name).stat()
    if not damage(study.results / name, how, seed):
        return f"{how} {name}: no change"
    found = outcome(study)
    assert found in (None, expected), f"{how} {name}: believed"
    damage(copy.results / name, how, seed)
    os.utime(copy.results / name, ns=(times.st_atime_ns, times.st_mtime_ns))
    status, told = called("verify", copy)
    assert status == 1 or name.endswith(UNBELIEVED), f"{how} {name}: not found by verify"
    assert status == 0 or called("repair", copy)[0] == 0, f"{how} {name}: not repaired: {told}"
    with contextlib.redirect_stdout(io.StringIO()):
        anew = copy.run_what_is_left()
    copy.report()
    status, told = called("verify", copy)
    assert status == 0, f"{how} {name}: still there after repair: {told}"
    assert outcome(copy) == expected, f"{how} {name}: other results after repair"
    word = "refused" if found is None else "the same bytes"
    return f"{how} {name}: {word}; {len(anew)} jobs anew after repair"


def disturbed(shards: Shards, expected: str, folder: Path, draw: random.Random) -> str:
    """A training disturbed at a random moment and started again: how and when. AssertionError for other weights."""
    job, how, wait = shards.copy(folder), draw.choice(list(DISTURBANCES)), draw.randrange(STEPS)
    process = subprocess.Popen(
        stage("pretrain", job), env=ENVIRONMENT, start_new_session=True, stderr=subprocess.DEVNULL
    )
    while lines(job / "history.jsonl") < wait and process.poll() is None:
        time.sleep(0.01)
    time.sleep(draw.uniform(0.0, 0.5))  # while it starts, or between two steps
    with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended
        DISTURBANCES[how]([(first := psutil.Process(process.pid)), *first.children(recursive=True)], draw)
    process.wait(timeout=600)
    subprocess.run(stage("pretrain", job), env=ENVIRONMENT, check=True, timeout=600, stdout=subprocess.DEVNULL)
    assert sha256_file(job / "encoder.safetensors") == expected, f"{how} at step {wait}: other weights"
    return f"{how} at step {wait}: the same weights"


def everybody(number: signal.Signals) -> Callable[[list[psutil.Process], random.Random], None]:
    """The signal to a process and all below it, as Slurm sends it."""

    def send(family: list[psutil.Process], draw: random.Random) -> None:
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    return send


def kill(family: list[psutil.Process], draw: random.Random) -> None:
    """kill -9 for the training alone."""
    family[0].kill()


def kill_worker(family: list[psutil.Process], draw: random.Random) -> None:
    """kill -9 for one of its data workers, or for itself while it has none."""
    draw.choice(family[1:] or family).kill()


def stand_still(family: list[psutil.Process], draw: random.Random) -> None:
    """SIGSTOP, and SIGCONT after at most half a minute."""
    everybody(signal.SIGSTOP)(family, draw)
    time.sleep(draw.uniform(1.0, 30.0))
    everybody(signal.SIGCONT)(family, draw)


DISTURBANCES = {
    "SIGKILL": kill,
    "SIGKILL of a worker": kill_worker,
    "SIGTERM": everybody(signal.SIGTERM),
    "SIGINT": everybody(signal.SIGINT),
    "SIGSTOP": stand_still,
}


def run(times: int, first: int) -> int:
    """Repeat with the seeds from ``first`` on; how many failed."""
    failed, clock = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        finished = Finished.made(root / "study")
        expected = finished.copy(root / "whole").outcome()
        shards = Shards.made(root / "shards")
        undisturbed = shards.copy(root / "undisturbed")
        subprocess.run(stage("pretrain", undisturbed), env=ENVIRONMENT, check=True)
        weights = sha256_file(undisturbed / "encoder.safetensors")
        for seed in range(first, first + times):
            try:
                print(
                    seed, damaged_file(finished, expected, root / f"{seed}", random.Random(f"file {seed}")), flush=True
                )
                draw = random.Random(f"disturb {seed}")
                print(seed, disturbed(shards, weights, root / f"{seed}-disturbed", draw), flush=True)
            except AssertionError as error:
                failed += 1
                print(seed, "FAILED:", error, flush=True)
    print(f"{failed} of {times} failed, {time.monotonic() - clock:.0f} s")
    return failed


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(run(*(numbers + [20, 0][len(numbers) :])) > 0)
