"""A contact sheet: small pictures in rows and columns as one JPEG, and beside it, as JSON, what stands in which cell."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipelines.errors import DamagedFile
from pipelines.files import canonical, read_sealed, sealed, write_text

GAP, TITLE = 2, 18
"""Pixels around every cell, and above a row that has a title."""
ABOUT = "_about"
"""What the name of the JSON's artifact has after that of the picture's."""
AGAIN = "run its job again"


class Sheet(BaseModel):
    """What a sheet shows.

    alt      the whole in words, for those who do not see it
    cell     side of a cell in pixels
    columns  their titles; none where the columns have no meaning of their own
    rows     their titles
    tips     row by row, what each cell shows; rows may be of different lengths
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    alt: str
    cell: int = Field(gt=0)
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    tips: tuple[tuple[str, ...], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.rows) not in (0, len(self.tips)) or len(self.columns) not in (0, self.width_in_cells):
            raise ValueError(
                f"{len(self.rows)} titles for {len(self.tips)} rows, {len(self.columns)} for {self.width_in_cells} columns"
            )
        return self

    @property
    def width_in_cells(self) -> int:
        """The length of the longest row."""
        return max(len(row) for row in self.tips)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return GAP + self.width_in_cells * (self.cell + GAP), GAP + len(self.tips) * self._line

    def place(self, row: int, column: int) -> tuple[int, int]:
        """Left and top of a cell in pixels."""
        return GAP + column * (self.cell + GAP), (row + 1) * self._line - self.cell

    @property
    def _line(self) -> int:
        return self.cell + GAP + (TITLE if self.rows else 0)

    def save(self, path: Path) -> None:
        """Write the JSON in one move; equal sheets give equal bytes."""
        write_text(path, canonical(sealed(self.model_dump(mode="json"))) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """What ``save`` wrote; InputError where it is missing, DamagedFile where it is not that."""
        value = read_sealed(path, AGAIN)
        try:
            return cls.model_validate_json(canonical(value))
        except ValidationError as error:
            raise DamagedFile(f"{path}: {error.errors()[0]['msg']}; {AGAIN}") from None
