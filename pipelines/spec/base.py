"""The base of every spec model, and the number types they share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
"""A probability or a fraction, in [0, 1]."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Interval = tuple[NotNegative, NotNegative]
"""(low, high); a reversed one is refused where it is used."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
NAME_IN_WORDS = "a name of letters, digits, '_', '.' and '-', at most 60, that begins with a letter or digit"
Name = Annotated[str, Field(pattern=NAME, max_length=60)]
"""A name that is also a path component and an MLflow tag."""


class Model(BaseModel):
    """Frozen; unknown keys are refused; no silent conversion of types (a whole number may stand for a float)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, use_attribute_docstrings=True
    )

    def __hash__(self) -> int:
        """Of the values: equal models have equal hashes, also those that hold mappings."""
        return hash(self.model_dump_json())
