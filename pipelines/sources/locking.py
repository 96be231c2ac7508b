"""One process at a time in a folder of shards; a killed one leaves nothing behind."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.locks import take
from pipelines.spec.layout import LOCK

LONGEST_WORK = 6 * 3600.0
"""Seconds to wait for another process that packs or decodes the same shards."""


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Wait until no other process holds the folder, then hold it; EnvironmentFault names one that never ends.

    A folder that cannot be written is used without: nothing is made there.
    """
    try:
        lock = take(folder / LOCK, LONGEST_WORK)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
