"""A job: one piece of work, named by its content. Light: stages import it before anything else."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.errors import InputError

INPUT_STAGE = {"shards": "shards", "best": "tune", "weights": "pretrain", "features": "embed", "teacher": "evaluate"}
"""Name of an input -> the stage that makes it."""


@dataclass(frozen=True)
class Job:
    """One piece of work. ``inputs``: name -> key of the job that makes it (its stage: ``INPUT_STAGE``)."""

    stage: str
    key: str
    spec: dict[str, Any] = field(compare=False)
    inputs: dict[str, str] = field(compare=False)

    def __post_init__(self) -> None:
        """InputError when the key, which begins with names from the study, could not be a folder's name."""
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", self.key):
            raise InputError(
                f"a job would be called {self.key!r}, after the names of method, data set and encoder: only letters, digits, "
                "'_', '.' and '-' can stand there; choose other names"
            )

    def folder(self, results: Path) -> Path:
        """Where the job writes."""
        return results / "jobs" / self.stage / self.key

    def done(self, results: Path) -> bool:
        """Whether its record exists."""
        return (self.folder(results) / "record.json").exists()

    def command(self, results: Path) -> str:
        """The line a person would type."""
        return shlex.join(["python", "-m", "pipelines", self.stage, "--job", str(self.folder(results))])
