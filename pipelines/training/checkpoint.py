"""Checkpoints: all that the next step needs, written whole or not at all beside the training, read without executing code."""

import sys
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor

from pipelines.errors import DamagedFile, InputError, unwritten
from pipelines.files import replacing

FILE, PREVIOUS = "checkpoint.pt", "checkpoint-previous.pt"
WITHOUT = "delete it, and training goes on from the one before it, or from the start"


def save(path: Path, state: dict[str, Any], previous: Path | None = None) -> None:
    """Write ``state`` (tensors, numbers, strings, nested dicts and lists) in one move.

    previous: where the one that stood there goes, at the last moment: at any time one of the two is whole.
    EnvironmentFault when the disk is full: the checkpoint before is still there.
    """
    try:
        with replacing(path) as part:
            torch.save(state, part)
            if previous and path.exists():
                path.replace(previous)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as a RuntimeError
        raise unwritten(path, error) from error


def load(path: Path, job: str = "") -> dict[str, Any] | None:
    """The state in ``path``, on the CPU; none when there is no checkpoint; DamagedFile.

    job: whose it has to be; InputError where it names another. One that names none, of an earlier checkout, is taken.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch itself writes checksums and compares none
        if damaged:
            raise ValueError(f"the checksum of {damaged} does not fit")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"it holds one {type(state).__name__}")
    except Exception as error:
        raise DamagedFile(f"{path}: not a checkpoint of this project ({error}); {WITHOUT}") from error
    if job and (owner := state.get("job")) not in (None, "", job):
        raise InputError(f"{path}: is a checkpoint of {owner}, and here {job} is trained; {WITHOUT}")
    return state


def newest(folder: Path, job: str = "") -> dict[str, Any] | None:
    """The state of the last checkpoint in a folder, of the one before where that is missing or damaged; DamagedFile.

    InputError for one of another job: who put it there should know.
    """
    try:
        state = load(folder / FILE, job)
    except DamagedFile as error:
        if not (folder / PREVIOUS).exists():
            raise
        print(f"{error}; going on from {PREVIOUS}, the one before", file=sys.stderr)
        state = None
    return load(folder / PREVIOUS, job) if state is None else state


def milestone(epoch: int) -> str:
    """The name of the checkpoint that is kept of an epoch."""
    return f"checkpoint-epoch-{epoch}.pt"


def forget(folder: Path) -> None:
    """Remove what a finished training does not need; milestones stay."""
    for name in (FILE, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


class Writer:
    """Writes checkpoints into a folder while training goes on, and keeps the last two. Use as a context.

    What is saved is copied first, so that the next step may change it; a save waits for the one before. A write that failed
    is told by the next save, or at the end.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def save(self, state: dict[str, Any], keep_as: Sequence[str] = ()) -> None:
        """Copy ``state`` and begin to write it, under further names too; EnvironmentFault of the save before."""
        self.wait()
        copied = on_host(state)
        self._thread = threading.Thread(target=self._write, args=(copied, keep_as))
        self._thread.start()

    def wait(self) -> None:
        """Until what was saved is on the disk; EnvironmentFault where it could not be written."""
        if self._thread:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error:
            raise error

    def _write(self, state: dict[str, Any], keep_as: Sequence[str]) -> None:
        try:
            for name in keep_as:
                save(self._folder / name, state)
            save(self._folder / FILE, state, self._folder / PREVIOUS)
        except Exception as error:
            self._error = error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self.wait()
        elif self._thread:
            self._thread.join()  # what ended the training is told, not what came of the last save


def on_host(value: Any) -> Any:
    """A copy of nested dicts, lists and tuples with every tensor on the CPU, in memory of its own."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: on_host(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(on_host(each) for each in value)
    return value
