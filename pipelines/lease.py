"""A lease on a job's folder: one process works there, on whatever machine; who comes second waits for the first.

A controller that died leaves its jobs running, and the next one may start them again: that start finds the lease, waits,
and then finds the record. A lease that nobody touches any more, or whose process on this machine has ended, is taken
over. It is a file that one process alone can make (heartbeat.py), so it works on NFS and asks for no lock of the mount.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from pipelines.errors import EnvironmentFault, InputError, unwritten
from pipelines.heartbeat import REMOVING, Beating, Holder, Watch, seems_alive

FILE = ".lease"
STALE = 180.0
"""Seconds without a touch after which the holder counts as dead: file servers have been seen to hang for one minute."""
PATIENCE = 7 * 24 * 3600.0
"""Seconds to wait for a process that does not end: longer than a cluster lets a job run."""
TOLD_EVERY = 600.0
HANDED = "PIPELINES_LEASES"
"""Variable by which a launcher gives its leases to the process that does the work: JSON, folder -> token."""


class Lease:
    """The right to work in a folder, until it is released or lost."""

    def __init__(self, path: Path, beating: Beating) -> None:
        self._path, self.beating = path, beating

    @classmethod
    def take(cls, folder: Path, name: str = FILE, wait: float = PATIENCE) -> Self:
        """Wait until nobody else works in the folder. EnvironmentFault names the one who does after ``wait`` seconds."""
        path, start, pause, told = folder / name, time.monotonic(), 0.1, 0.0
        watch = Watch(path, STALE)
        while (beating := _attempt(watch)) is None:
            waited, who = time.monotonic() - start, Holder.read(path) or "another process"
            if waited > wait:
                raise EnvironmentFault(
                    f"{folder}: {who} has worked on it for more than {wait:g} seconds; end it, and run again"
                )
            if waited >= told:
                told = waited + TOLD_EVERY
                line = f"{folder}: {who} is working on it; waiting for its end, at most {wait:g} seconds"
                print(line, file=sys.stderr, flush=True)
            time.sleep(pause)
            pause = min(1.5 * pause, 5.0)
        return cls(path, beating)

    def check(self) -> None:
        """EnvironmentFault when another process has taken over: this one was stopped for long, and must write no more."""
        if not self.beating.held():
            who = Holder.read(self._path) or "another process"
            raise EnvironmentFault(
                f"{self._path.parent}: taken over by {who} while this process stood still for more than {STALE:g} "
                "seconds; it ends without writing anything, and the other goes on"
            )

    def release(self) -> None:
        """Let the next one in."""
        self.beating.release()


class Contest:
    """Somebody who wants a lease, and looks again and again instead of waiting for it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._watch = Watch(folder / name, STALE)

    def attempt(self) -> Lease | None:
        """The lease where nobody has it now; that its holder on another machine is dead is known after ``STALE`` seconds."""
        beating = _attempt(self._watch)
        return Lease(self._watch.path, beating) if beating else None

    def holder(self) -> Holder | None:
        """Who has it; None where nobody does, or is not named."""
        return Holder.read(self._watch.path)


@contextlib.contextmanager
def leased(folder: Path, name: str = FILE, wait: float = PATIENCE) -> Iterator[Lease]:
    """``Lease.take`` for the length of a block."""
    lease = Lease.take(folder, name, wait)
    try:
        yield lease
    finally:
        lease.release()


def is_taken(folder: Path) -> bool:
    """Whether somebody works in the folder, judged at one look: the holder of its lease, or of a worker's."""
    return any(seems_alive(path) for path in folder.glob(f"{FILE}*") if not path.name.endswith(REMOVING))


def hand_over(folders: Sequence[Path]) -> None:
    """Take the leases of all folders for the program that is about to take this process's place, and its children.

    In the order of their names, so that two launchers never wait for each other.
    """
    taken = {str(folder): Lease.take(folder).beating.token for folder in sorted(folders) if folder.is_dir()}
    os.environ[HANDED] = json.dumps(taken)


@contextlib.contextmanager
def handed_over(folders: Sequence[Path]) -> Iterator[dict[Path, Lease]]:
    """The leases that a launcher took for these folders, kept up for the length of a block by the group's first process."""
    tokens = _tokens(os.environ.get(HANDED, "{}")) if os.environ.get("RANK") == "0" else {}
    leases = {
        folder: Lease(folder / FILE, Beating(folder / FILE, tokens[str(folder)]))
        for folder in folders
        if str(folder) in tokens
    }
    try:
        yield leases
    finally:
        for lease in leases.values():
            lease.release()


def _tokens(text: str) -> dict[str, str]:
    """Folder -> token. InputError for what no launcher has written: a variable that was left in the environment."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(token, str) for token in found.values()):
        raise InputError(f"{HANDED}={text!r}: must be what a launcher writes, folder -> token as JSON; unset it")
    return found


def _attempt(watch: Watch) -> Beating | None:
    try:
        return Beating.begin(watch)
    except OSError as error:
        raise unwritten(watch.path, error) from error
