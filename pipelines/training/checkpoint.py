"""Checkpoints: all that the next step needs, written whole or not at all, read without executing code."""

from pathlib import Path
from typing import Any

import torch

from pipelines.errors import InputError
from pipelines.files import replacing


def save(path: Path, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, strings, nested dicts and lists) in one move.

    On an OSError (a full disk) the previous checkpoint is still there; the error names the file.
    """
    try:
        with replacing(path) as part:
            torch.save(state, part)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as a RuntimeError
        raise InputError(
            f"{path}: could not be written ({error}); the previous checkpoint is kept; free space and run again"
        ) from error


def load(path: Path) -> dict[str, Any] | None:
    """The state in ``path``, on the CPU; none when there is no checkpoint; InputError when it is damaged."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"{path}: not a checkpoint of this project ({error}); delete it to train from the start"
        ) from error
    return state
