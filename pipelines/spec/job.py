"""A job: one piece of work, named by its content."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import InputError
from pipelines.files import digest
from pipelines.spec.jobs import JobSpec
from pipelines.spec.layout import job_folder, record_file

Place = tuple[str, str]
"""(stage, key)."""
INPUT_STAGE = {"shards": "shards", "best": "tune", "weights": "pretrain", "teacher": "evaluate"}
"""Name of an input -> the stage that makes it."""


@dataclass(frozen=True)
class Job:
    """One piece of work. ``inputs``: name -> key of the job that makes it (its stage: ``INPUT_STAGE``)."""

    key: str
    spec: JobSpec = field(compare=False)
    inputs: dict[str, str] = field(compare=False)

    def __post_init__(self) -> None:
        """InputError when the key, which begins with names from the study, could not be a folder's name."""
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", self.key):
            raise InputError(
                f"a job would be called {self.key!r}, after the names of method, data set and encoder: only letters, digits, "
                "'_', '.' and '-' can stand there; choose other names"
            )

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
    def place(self) -> Place:
        """(stage, key): what tells it from every other job."""
        return self.stage, self.key

    def folder(self, results: Path) -> Path:
        """Where the job writes."""
        return job_folder(results, self.stage, self.key)

    def done(self, results: Path) -> bool:
        """Whether its record exists."""
        return record_file(results, self.stage, self.key).exists()
