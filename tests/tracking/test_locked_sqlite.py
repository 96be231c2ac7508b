"""An SQLite file that another process keeps locked for longer than anybody waits: told in one line, and made up for later."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tracking.job_folders import finish, folder, held, level, log, opened, sync

from pipelines import history
from pipelines.errors import EnvironmentFault

pytestmark = pytest.mark.slow  # each waits for as long as MLflow does
ROOT = Path(history.__file__).parents[1]
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process has a transaction in it that nobody else may read beside."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "locked\n"
        yield
    finally:
        holder.kill()
        holder.wait()


def synced(results: Path) -> subprocess.CompletedProcess[str]:
    """The command as a user types it, with limits and all."""
    command = [sys.executable, "-m", "pipelines", "track", "sync", "--results", str(results)]
    quiet = {name: value for name, value in os.environ.items() if name != "PIPELINES_TRACKING_URI"}
    return subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=300)


def up_to_date(results: Path, steps: int) -> bool:
    experiment = opened(results)
    (run,) = level(experiment, "seed").values()
    return held(experiment, run, "train/loss") == [(step, 1 / (step + 1)) for step in range(steps)]


@pytest.mark.parametrize("known", [True, False], ids=["in use", "new"])
def test_a_locked_file_is_told_in_one_line_and_synced_once_it_is_free(tmp_path: Path, known: bool) -> None:
    log(folder(tmp_path), 0, 1)
    if known:
        sync(tmp_path)
        log(folder(tmp_path), 2)
    with locked(tmp_path / "mlflow.db"):
        start = time.monotonic()
        done = synced(tmp_path)
        assert time.monotonic() - start < 120
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"error: MLflow at sqlite:///{tmp_path.resolve()}/mlflow.db does not answer (" in done.stderr
    assert "database is locked" in done.stderr
    assert (
        "End the other process that holds the file, or wait for it, then run: python -m pipelines track" in done.stderr
    )
    finish(folder(tmp_path))
    assert synced(tmp_path).returncode == 0
    assert up_to_date(tmp_path, 2 + known)


def test_a_lock_that_comes_after_the_file_was_opened_is_told_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log(folder(tmp_path), 0)
    sync(tmp_path)
    store = opened(tmp_path).store
    log(folder(tmp_path), 1)
    with locked(tmp_path / "mlflow.db"):
        start = time.monotonic()
        with pytest.raises(EnvironmentFault, match=r"does not answer \(.*database is locked\)\. Nothing is lost: "):
            sync(tmp_path, store=store)
        assert time.monotonic() - start < 120
    assert "Traceback" not in capfd.readouterr().err
    sync(tmp_path, store=store)
    assert up_to_date(tmp_path, 2)


def test_a_follower_tells_it_once_ends_with_its_parent_and_the_next_sync_makes_up_for_it(tmp_path: Path) -> None:
    log(folder(tmp_path), 0)
    sync(tmp_path)
    log(folder(tmp_path), 1)
    parent = subprocess.Popen(["sleep", "12"])
    command = [sys.executable, "-m", "pipelines", "track", "follow", "--results", str(tmp_path), "--every", "0.2"]
    with locked(tmp_path / "mlflow.db"):
        start = time.monotonic()
        done = subprocess.run(
            [*command, "--parent", str(parent.pid)], cwd=ROOT, capture_output=True, text=True, timeout=300
        )
        assert time.monotonic() - start < 120
    parent.wait()
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0].startswith("tracking: MLflow at sqlite:///")
    assert 1 <= len(lines) <= 2, "at its beginning, and at the last try"
    sync(tmp_path)
    assert up_to_date(tmp_path, 2)
