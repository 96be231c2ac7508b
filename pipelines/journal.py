"""The journal of a tuning study: a file that several processes append to, on any file system."""

import os
from pathlib import Path

from optuna.storages.journal._file import BaseJournalFileLock  # not exported; the two that are cannot be relied on

from pipelines import locks


class JournalLock(BaseJournalFileLock):
    """Lets one process at a time append to the journal, and first cuts off what a killed one left half written.

    A half line does no harm until the next write lands behind it, which would damage the file for good.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held: locks.Lock | None = None

    def acquire(self) -> bool:
        """Wait for the lock; EnvironmentFault names a holder that does not let go of it."""
        self._held = locks.take(self._journal.with_suffix(".lock"))
        _cut_half_line(self._journal)
        return True

    def release(self) -> None:
        """Let the next one in."""
        assert self._held is not None
        self._held.release()


def _cut_half_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return
        file.seek(-1, os.SEEK_END)
        if file.read() == b"\n":
            return
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
    os.truncate(path, whole)
