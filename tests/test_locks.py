"""Locks: one at a time, on mounts with and without flock, whoever dies; and every wait has an end and a name."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import heartbeat, history, locks
from pipelines.errors import EnvironmentFault
from pipelines.heartbeat import here
from pipelines.history import History, being_written, read
from pipelines.locks import holder, is_held, locked, take
from pipelines.sources import locking
from pipelines.tracking.settings import results_id

ROOT = Path(locks.__file__).parents[1]
WITHOUT = [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK]


def refuse(number: int) -> object:
    def flock(file: object, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    return flock


@pytest.fixture(params=["flock", *WITHOUT])
def mount(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | int:
    """A mount that has flock, and those that answer it with an error."""
    if request.param != "flock":
        monkeypatch.setattr(fcntl, "flock", refuse(request.param))
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT", 0.05)
    monkeypatch.setattr(heartbeat, "STALE", 0.4)


@pytest.fixture
def no_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOSYS))


@pytest.mark.usefixtures("quick")
def test_a_held_lock_is_waited_for_and_then_names_its_holder(
    tmp_path: Path, mount: str | int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locks, "TOLD_AFTER", 0.1)
    path = tmp_path / "deep" / "lock"
    with locked(path):
        assert is_held(path)
        with pytest.raises(EnvironmentFault, match=rf"lock: held by process {os.getpid()} on .* end it, and run again"):
            take(path, wait=0.3)
        assert capsys.readouterr().err.count(f"waiting for {path}, held by process {os.getpid()} on") == 1
    assert not is_held(path)
    assert holder(path) is None
    take(path, wait=0).release()


@pytest.mark.usefixtures("quick", "no_flock")
def test_a_lock_that_is_touched_outlives_the_time_after_which_it_would_be_dead(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        with pytest.raises(EnvironmentFault):
            take(tmp_path / "lock", wait=1.5)
        assert is_held(tmp_path / "lock")


@pytest.mark.usefixtures("quick", "no_flock")
def test_a_dead_holder_elsewhere_is_found_out_by_its_silence(tmp_path: Path) -> None:
    (tmp_path / "lock.held").write_text("node17 5 1 token\n")
    assert is_held(tmp_path / "lock") is False  # no such lock was ever made
    (tmp_path / "lock").touch()
    assert is_held(tmp_path / "lock")
    start = time.monotonic()
    take(tmp_path / "lock", wait=0).release()
    assert 0.4 < time.monotonic() - start < 1.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock"]


@pytest.mark.usefixtures("no_flock")
def test_a_dead_holder_on_this_machine_is_found_out_at_once(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "lock").touch()
    (tmp_path / "lock.held").write_text(here().replace(str(os.getpid()), str(ended.pid), 1) + " token\n")
    assert not is_held(tmp_path / "lock")
    start = time.monotonic()
    take(tmp_path / "lock", wait=0).release()
    assert time.monotonic() - start < 5


@pytest.mark.usefixtures("quick", "no_flock")
def test_who_was_taken_for_dead_does_not_release_anothers_lock(tmp_path: Path) -> None:
    first = take(tmp_path / "lock")
    (tmp_path / "lock.held").write_text("node17 5 1 token\n")  # while this process was stopped
    first.release()
    assert (tmp_path / "lock.held").read_text() == "node17 5 1 token\n"


def test_another_error_of_the_system_is_no_missing_feature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        take(tmp_path / "lock")
    assert not (tmp_path / "lock.held").exists()


COUNT = """
import errno, fcntl, os, sys, time
from pathlib import Path
from pipelines import heartbeat
from pipelines.locks import locked
if sys.argv[1] == "without":
    def flock(*_): raise OSError(errno.ENOSYS, "no")
    fcntl.flock = flock
folder = Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    with locked(folder / "lock"):
        number = int((folder / "count").read_text())
        time.sleep(0.001)
        (folder / "count").write_text(str(number + 1))
print("holding", flush=True)
if sys.argv[4] == "hold":
    with locked(folder / "lock"):
        print("holding", flush=True)
        time.sleep(100)
"""


def counting(mount: str, folder: Path, times: int, then: str = "end") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COUNT, mount, str(folder), str(times), then]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("mount", ["with", "without"])
def test_nothing_is_lost_between_processes_and_a_killed_one_blocks_nobody(tmp_path: Path, mount: str) -> None:
    (tmp_path / "count").write_text("0")
    killed = counting(mount, tmp_path, 0, "hold")
    assert killed.stdout is not None
    assert [killed.stdout.readline() for _ in range(2)] == ["holding\n"] * 2
    others = [counting(mount, tmp_path, 40) for _ in range(4)]
    time.sleep(1)
    assert (tmp_path / "count").read_text() == "0"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert [process.wait(60) for process in others] == [0] * 4
    assert (tmp_path / "count").read_text() == "160"


def test_a_history_is_written_by_one_on_every_mount(tmp_path: Path, mount: str | int, quick: None) -> None:
    path = tmp_path / "history.jsonl"
    with History.open(path) as log:
        log.log(0, {"a": 1.0})
        assert being_written(path)
        with pytest.raises(EnvironmentFault, match=rf"another process is writing this job \(process {os.getpid()} on"):
            History.open(path)
    assert not being_written(path)
    with History.open(path) as log:
        log.log(1, {"a": 1.0})
    assert [point.step for point in read(path)] == [0, 1]
    assert not (tmp_path / f"{history.WRITER}.held").exists()


def test_shards_are_made_by_one_on_every_mount(
    tmp_path: Path, mount: str | int, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "LONGEST_WORK", 0.1)
    with (
        locking.locked_folder(tmp_path),
        pytest.raises(EnvironmentFault, match="held by"),
        locking.locked_folder(tmp_path),
    ):
        pass
    with locking.locked_folder(tmp_path):
        pass


def test_shards_in_a_folder_that_cannot_be_written_are_used_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    with locking.locked_folder(tmp_path), locking.locked_folder(tmp_path):
        pass


def test_a_results_folder_gets_its_name_on_every_mount(tmp_path: Path, mount: str | int) -> None:
    assert results_id(tmp_path) == results_id(tmp_path)
