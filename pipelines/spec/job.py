"""A job: one piece of work, named by its content. Light: stages import it before anything else."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INPUT_STAGE = {"shards": "shards", "best": "tune", "weights": "pretrain", "features": "embed", "teacher": "evaluate"}
"""Name of an input -> the stage that makes it."""


@dataclass(frozen=True)
class Job:
    """One piece of work. ``inputs``: name -> key of the job that makes it (its stage: ``INPUT_STAGE``)."""

    stage: str
    key: str
    spec: dict[str, Any] = field(compare=False)
    inputs: dict[str, str] = field(compare=False)

    def folder(self, results: Path) -> Path:
        """Where the job writes."""
        return results / "jobs" / self.stage / self.key

    def done(self, results: Path) -> bool:
        """Whether its record exists."""
        return (self.folder(results) / "record.json").exists()

    def command(self, results: Path) -> str:
        """The line a person would type."""
        return f"python -m pipelines {self.stage} --job {self.folder(results)}"
