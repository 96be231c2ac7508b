"""What tables call the runs of a study, in parts, so that no label has to be taken apart again."""

from collections.abc import Mapping
from typing import Literal

from pipelines.spec.base import Model

Role = Literal["row", "tuning", "teacher"]
PIXELS = "raw pixels"
"""What tables call that floor."""


class RowName(Model):
    """The line of a study's tables that a job belongs to."""

    label: str
    """The whole name: the method's, with its grid point, and whether it was tuned."""
    method: str
    """The label of a method entry, the name of a checkpoint, or the kind of a floor (pixels, untrained): rows of one
    method share a colour."""
    point: tuple[tuple[str, str], ...] = ()
    """The grid point: each option with its value in words (``temperature``, ``0.1``); empty where there is none."""
    tuned: bool = False
    """Whether a search chose its values."""
    role: Role = "row"
    """What the job is for that line: a row of its own, the search that chooses its values, or its students' teacher."""

    @property
    def told(self) -> str:
        """The label, with the role where the job is no row of its own."""
        return self.label if self.role == "row" else f"{self.label} ({self.role})"


def of_method(method: str, point: Mapping[str, str], tuned: bool = False) -> RowName:
    """The row of a method at a grid point, by default with the values that the study gives it."""
    at = f"[{','.join(f'{option}={value}' for option, value in point.items())}]" if point else ""
    label = f"{method}{at}{'_tuned' if tuned else ''}"
    return RowName(label=label, method=method, point=tuple(point.items()), tuned=tuned)


def of_pixels() -> RowName:
    """The floor that knows no encoder."""
    return RowName(label=PIXELS, method="pixels")


def of_untrained(encoder: str) -> RowName:
    """The floor of an encoder at step 0, by the encoder's name."""
    return RowName(label=f"untrained {encoder}", method="untrained")
