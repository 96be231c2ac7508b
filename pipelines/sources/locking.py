"""One process at a time in a folder; a killed one leaves nothing behind."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process holds the folder, then hold it. The system lets go of it when the process dies.

    File systems without locks, and folders that cannot be written, are used without: what is written there is whole
    (written beside and renamed) and the same for every writer, so a lock only saves doing the work twice.
    """
    try:
        file = (folder / ".lock").open("w")
    except OSError:
        yield
        return
    with file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
