"""Which files of a folder have been hashed and found right, remembered beside them by size and time of change.

Hashing ImageNet's tars takes minutes of a core. Without this every process of every job would do it before its first step.
A file whose bytes rot without a new time of change is believed until somebody hashes it again.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from pipelines import locks
from pipelines.errors import EnvironmentFault, Problem
from pipelines.files import read_json, write_json

FILE = ".checked.json"
LOCK = ".checking"
PATIENCE = 4 * 3600.0
"""Seconds that one process waits for another one's hashing: an hour a terabyte, and more."""


def remembered(folder: Path, digests: Mapping[str, str]) -> set[str]:
    """Of these file names, each with its digest, those that were found to have it and have not changed since."""
    known = _read(folder)
    return {name for name, digest in digests.items() if known.get(name) == [*stamp(folder / name), digest]}


def remember(folder: Path, digests: Mapping[str, str]) -> None:
    """These files have these digests; nothing is kept in a folder that cannot be written."""
    if not os.access(folder, os.W_OK):
        return
    found = {name: [*stamp(folder / name), digest] for name, digest in digests.items()}
    with contextlib.suppress(EnvironmentFault):  # a full disk loses nothing but time
        write_json(folder / FILE, {**_read(folder), **found})


def one_at_a_time(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Hold this while hashing: the other processes wait, and then find what was remembered."""
    return locks.locked(folder / LOCK, PATIENCE) if os.access(folder, os.W_OK) else contextlib.nullcontext()


def stamp(path: Path) -> list[int]:
    """Size and time of change; nothing of a file that is not there."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _read(folder: Path) -> dict[str, object]:
    try:
        known = read_json(folder / FILE)
    except Problem:
        return {}
    return {name: said for name, said in known.items() if _is_entry(said)} if isinstance(known, dict) else {}


def _is_entry(said: object) -> bool:
    """Size, time of change and SHA-256."""
    return isinstance(said, list) and [type(each) for each in said] == [int, int, str]
