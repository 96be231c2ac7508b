"""Checkpoints: all that the next step needs, written whole or not at all, read without executing code."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from pipelines.errors import DamagedFile, unwritten
from pipelines.files import replacing


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, strings, nested dicts and lists) in one move.

    EnvironmentFault when the disk is full: the previous checkpoint is still there.
    """
    try:
        with replacing(path) as part:
            torch.save(state, part)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as a RuntimeError
        raise unwritten(path, error) from error


def load(path: Path) -> dict[str, Any] | None:
    """The state in ``path``, on the CPU; none when there is no checkpoint; DamagedFile."""
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch itself writes checksums and compares none
        if damaged:
            raise ValueError(f"the checksum of {damaged} does not fit")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DamagedFile(
            f"{path}: not a checkpoint of this project ({error}); delete it to train from the start"
        ) from error
    return state
