"""A job: one piece of work, named by its content."""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.files import digest
from pipelines.spec.jobs import JobSpec

INPUT_STAGE = {"shards": "shards", "best": "tune", "weights": "pretrain", "teacher": "evaluate"}
"""Name of an input -> the stage that makes it."""


@dataclass(frozen=True)
class Job:
    """One piece of work. ``inputs``: name -> key of the job that makes it (its stage: ``INPUT_STAGE``)."""

    key: str
    spec: JobSpec = field(compare=False)
    inputs: dict[str, str] = field(compare=False)

    @classmethod
    def of(cls, prefix: str, spec: JobSpec, inputs: dict[str, str]) -> "Job":
        """The job of this content: equal content gives an equal key."""
        content = {"stage": spec.stage, "spec": spec.content(), "inputs": inputs}
        return cls(f"{prefix}-{digest(content)}", spec, inputs)

    @property
    def stage(self) -> str:
        """The stage that does it."""
        return self.spec.stage

    @property
    def place(self) -> tuple[str, str]:
        """(stage, key): what tells it from every other job."""
        return self.stage, self.key

    def folder(self, results: Path) -> Path:
        """Where the job writes."""
        return results / "jobs" / self.stage / self.key

    def done(self, results: Path) -> bool:
        """Whether its record exists."""
        return (self.folder(results) / "record.json").exists()
