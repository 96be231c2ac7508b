"""A fault: a file that is not as it was left, and what mends it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mend = Literal["job", "file", "cache", "plan", "report"]
"""job: set aside, so that it is done anew; file: set aside alone; cache: removed; plan, report: written anew."""
Tick = Callable[[int], None]
"""Told after every file that was read, with its bytes."""


@dataclass(frozen=True)
class Fault:
    """file: where it is; told: file, what is wrong and the way out, in one line."""

    mend: Mend
    file: Path
    told: str


def fault(mend: Mend, file: Path, error: Exception) -> Fault:
    """The fault that an error tells of."""
    return Fault(mend, file, " ".join(str(error).split()))
