"""GPUs of one machine: a job gets some for itself, and no two jobs get the same.

A scheduler that hands out GPUs says so in CUDA_VISIBLE_DEVICES, and nothing is done here. Snakemake on one machine only
counts them; there each job locks as many as it wants, before torch is loaded. The lock is the system's own (flock) on a file of
the local disk for each GPU: it goes with the process however that ends, so nothing is left behind to clean up. It outlives
``exec``, so that a launcher keeps for its processes what was taken before.
"""

import contextlib
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.errors import EnvironmentFault, InputError

VISIBLE, SHARED = "CUDA_VISIBLE_DEVICES", "PIPELINES_GPUS"
"""CUDA's variable, and ours: the GPUs that jobs may take, as CUDA names them (numbers or UUIDs), with commas between."""
PATIENCE = 7 * 24 * 3600.0
"""Seconds to wait for GPUs that others use: longer than a training takes."""
PAUSE, TOLD_EVERY = 1.0, 60.0
FOLDERS = (Path("/dev/shm"), Path("/tmp"))
"""Of every machine's own, the same for all users, first the one that nobody tidies up."""
_LISTED = re.compile(r"^(?P<inner> *)\w.*\(UUID: (?P<name>[^)]+)\)")


@contextlib.contextmanager
def gpus_for(count: int, wait: float = PATIENCE) -> Iterator[list[str]]:
    """Hold ``count`` GPUs for the length of a block, named in CUDA_VISIBLE_DEVICES; waits while others have them.

    Nothing is held, and [] given, where a scheduler has chosen already, and where there is no choice: no GPU, or one that
    PIPELINES_GPUS does not name. InputError when more are wanted than there are, EnvironmentFault after ``wait`` seconds.
    """
    known = [] if VISIBLE in os.environ else shared()
    if not known or not count:
        yield []
        return
    if count > len(known):
        raise InputError(
            f"{count} GPUs are wanted at once, and this machine has {len(known)} to give ({', '.join(known)}); lower "
            f"gpus_per_job (--processes), or name more in {SHARED}"
        )
    files = _waited_for(known, count, wait)
    os.environ[VISIBLE] = ",".join(files)
    try:
        yield list(files)
    finally:
        del os.environ[VISIBLE]
        for file in files.values():
            os.close(file)


def shared() -> list[str]:
    """The GPUs that jobs share: those that PIPELINES_GPUS names, else those of this machine if there are several."""
    if named := os.environ.get(SHARED, "").replace(",", " ").split():
        return list(dict.fromkeys(named))
    try:
        listed = subprocess.run(("nvidia-smi", "-L"), capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found = names_in(listed)
    return found if len(found) > 1 else []


def names_in(listed: str) -> list[str]:
    """The UUIDs in what ``nvidia-smi -L`` prints; of a GPU that is cut into instances (MIG) those of its instances."""
    found: list[tuple[bool, str]] = []
    for line in listed.splitlines():
        if row := _LISTED.match(line):
            inner = bool(row["inner"])
            if inner and found and not found[-1][0]:
                found.pop()  # its GPU
            found.append((inner, row["name"]))
    return [name for _, name in found]


def _waited_for(known: Sequence[str], count: int, wait: float) -> dict[str, int]:
    start, told = time.monotonic(), 0.0
    while not (files := _attempt(known, count)):
        waited = time.monotonic() - start
        if waited > wait:
            raise EnvironmentFault(
                f"{count} of the GPUs {', '.join(known)} were not free for {wait:g} seconds; end what uses them (lsof "
                f"{_folder()}/* names it), or set {VISIBLE} to choose yourself, and run again"
            )
        if waited >= told:
            told = waited + TOLD_EVERY
            text = f"waiting for {count} of the GPUs {', '.join(known)}, which other jobs use ({_folder()})"
            print(text, file=sys.stderr, flush=True)
        time.sleep(PAUSE)
    return files


def _attempt(known: Sequence[str], count: int) -> dict[str, int]:
    """Name -> locked file of the first ``count`` that are free; of fewer none is kept. One process at a time looks."""
    files: dict[str, int] = {}
    looking = _opened("looking")
    try:
        try:
            fcntl.flock(looking, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return {}  # another looks at this moment
        for name in known:
            file = _opened(re.sub(r"[^\w.-]", "_", name))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                continue
            os.set_inheritable(file, True)  # torchrun takes this process's place
            files[name] = file
            if len(files) == count:
                return files
        for file in files.values():
            os.close(file)
        return {}
    finally:
        os.close(looking)


def _opened(name: str) -> int:
    """A file for everybody on this machine: it is locked, never written."""
    path = _folder() / name
    try:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir()
            path.parent.chmod(0o1777)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o444))
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise EnvironmentFault(
            f"{path}: cannot be made or opened ({error.strerror}), and without it two jobs could take one GPU; mend the "
            f"folder, or set {VISIBLE} to choose yourself"
        ) from error


def _folder() -> Path:
    return next((each for each in FOLDERS if each.is_dir()), FOLDERS[-1]) / "ssl-pipelines-gpus"
