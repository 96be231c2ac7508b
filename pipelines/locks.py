"""One process at a time: a lock as a file, on every file system, with a limit to every wait.

The system's own lock (flock) is taken where there is one: it goes with the process, however that ends. Some mounts have
none (ENOSYS, EOPNOTSUPP, ENOLCK); there a second file, NAME.held, is made by whoever finds none, and touched again and
again while it is held. One that is not touched for a minute, or whose process on this machine has ended, is a
dead process's and is taken away. Either way the file names its holder.
"""

import contextlib
import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pipelines import heartbeat
from pipelines.errors import EnvironmentFault
from pipelines.heartbeat import Beating, Holder, Watch, here, seems_alive

PATIENCE = 600.0
"""Seconds to wait for a lock that is held for moments only."""
TOLD_AFTER = 5.0
"""Seconds of waiting after which a line says for whom."""
_NO_FLOCK = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


class Lock(Protocol):
    """A lock that is held until it is released."""

    def release(self) -> None:
        """Let the next one in."""


def take(path: Path, wait: float = PATIENCE) -> Lock:
    """Hold the file ``path``, made when missing, once nobody else does.

    EnvironmentFault names the holder when that takes more than ``wait`` seconds; on a mount without locks a dead
    process is known for one only after a minute, so the wait is at least that. OSError when the file cannot be
    opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    start, pause, told, watch = time.monotonic(), 0.005, False, Watch(_held(path))
    while (lock := _attempt(path, watch)) is None:
        limit = max(wait, 1.5 * heartbeat.STALE) if watch.path.exists() else wait
        waited = time.monotonic() - start
        if waited > limit:
            raise EnvironmentFault(
                f"{path}: held by {holder(path) or 'another process'} for more than {limit:g} seconds; "
                "wait for it, or end it, and run again"
            )
        if waited > TOLD_AFTER and not told:
            told = True
            who = holder(path) or "another process"
            print(f"waiting for {path}, held by {who}, at most {limit:g} seconds", file=sys.stderr, flush=True)
        time.sleep(pause)
        pause = min(1.5 * pause, 1.0)
    return lock


@contextlib.contextmanager
def locked(path: Path, wait: float = PATIENCE) -> Iterator[None]:
    """``take`` for the length of a block."""
    lock = take(path, wait)
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process holds ``path``, as far as this machine can tell."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in _NO_FLOCK:
            raise
        return seems_alive(_held(path))
    finally:
        os.close(file)


def holder(path: Path) -> Holder | None:
    """Who holds ``path``, or was the last to and ended without a word; none after an orderly release."""
    return Holder.read(_held(path)) or Holder.read(path)


def _held(path: Path) -> Path:
    return path.with_name(f"{path.name}.held")


def _attempt(path: Path, watch: Watch) -> Lock | None:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except OSError as error:
        os.close(file)
        if error.errno not in _NO_FLOCK:
            raise
        return Beating.begin(watch)
    with contextlib.suppress(OSError):  # the name is for people; a full disk does not take it
        os.ftruncate(file, 0)
        os.pwrite(file, f"{here()}\n".encode(), 0)
    return _Flock(file)


class _Flock:
    def __init__(self, file: int) -> None:
        self._file = file

    def release(self) -> None:
        """Take the name off, and close the file."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)
