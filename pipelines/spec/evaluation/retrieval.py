"""Options of retrieval between images and captions."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count
from pipelines.spec.datasets.base import Targets
from pipelines.spec.evaluation.base import Protocol


class Options(Protocol):
    """Images find their captions and captions their images, among all of test (Karpathy and Fei-Fei 2015, arXiv:1412.2306)."""

    use: Literal["retrieval"] = "retrieval"
    needs_text: ClassVar[bool] = True
    targets: ClassVar[Targets] = "captions"
    at: tuple[Count, ...] = Field(default=(1, 5, 10), min_length=1)
    """Numbers of candidates looked at, each a number of its own in the results."""

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(set(self.at)) < len(self.at):
            raise ValueError(f"at must be different numbers, got {list(self.at)}")
        return self

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(f"{way}_recall_{k}" for way in ("image_to_text", "text_to_image") for k in self.at)
