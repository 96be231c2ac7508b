"""Histograms of scores over a training, as one small file beside its record: how many scores fell into which bin, and when.

Bins are equally wide and run from -1 to 1; what lies beyond (vectors pushed apart are longer than 1) counts in the first or
the last one. A row is a stretch of training, and holds every reading of the monitors in it.
"""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from pipelines.errors import DamagedFile
from pipelines.files import canonical, read_sealed, sealed, write_text

FILE = "scores.json"
BINS = 64
"""Each 1/32 wide."""
ROWS = 32
"""Most rows of a training."""
AGAIN = "delete the folder of its job and run the job again"


class Histograms(BaseModel):
    """What a training counted.

    total_steps  of the training
    rows         numbers of the stretches that were read, ascending, in 0 .. ROWS - 1: steps total_steps * row / ROWS and on
    counts       side (positive, negative, and with feature transformation untransformed_positive and so on) -> a row of
                 BINS counts for every one of ``rows``; zeros where that side was not read
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    total_steps: int
    rows: tuple[int, ...]
    counts: dict[str, tuple[tuple[int, ...], ...]]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.rows) != sorted(set(self.rows)) or not set(self.rows) <= set(range(ROWS)):
            raise ValueError(f"rows have to be different, ascending and in 0 .. {ROWS - 1}, got {self.rows}")
        for side, rows in self.counts.items():
            if len(rows) != len(self.rows) or any(len(row) != BINS or min(row) < 0 for row in rows):
                raise ValueError(f"counts.{side} has to be {len(self.rows)} rows of {BINS} counts")
        return self

    def save(self, path: Path) -> None:
        """Write the file in one move; equal counts give equal bytes."""
        write_text(path, canonical(sealed(self.model_dump(mode="json"))) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """What ``save`` wrote; InputError where it is missing, DamagedFile where it is not that."""
        value = read_sealed(path, AGAIN)
        try:
            return cls.model_validate_json(canonical(value))
        except ValidationError as error:
            raise DamagedFile(f"{path}: {error.errors()[0]['msg']}; {AGAIN}") from None
