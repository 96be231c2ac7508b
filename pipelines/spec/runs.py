"""Runs of a study, named: what claims and tables say which rows they are about with."""

from typing import Any, Literal, Self

from pydantic import model_validator

from pipelines.spec.base import Model

Floor = Literal["pixels", "untrained"]


def short(given: Any) -> Any:
    """``moco_v2`` means the method of that label."""
    return {"method": given} if isinstance(given, str) else given


class Named(Model):
    """Runs of the study by name: a method's, some of its grid points, its tuned row; or a floor."""

    method: str | None = None
    """The label of a method entry."""
    at: dict[str, Any] = {}
    """Grid axis -> one of its values; axes left out: all their points."""
    tuned: bool = False
    """The method with the values that tuning chose, in place of its grid points."""
    floor: Floor | None = None
    """pixels: raw pixels. untrained: encoders at step 0."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        self.check_one()
        return self

    def check_one(self) -> None:
        """ValueError unless it names a method or a floor, and says of a floor only what it has."""
        if (self.method is None) == (self.floor is None):
            raise ValueError("give either method (a label of the study's methods) or floor (pixels, untrained)")
        if self.floor and (self.at or self.tuned):
            raise ValueError(f"floor {self.floor} has no grid and is not tuned; leave at and tuned out")
