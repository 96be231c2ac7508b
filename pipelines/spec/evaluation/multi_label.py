"""Options of classification of images that have several labels."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Positive
from pipelines.spec.datasets.base import Targets
from pipelines.spec.evaluation.base import Protocol


class Options(Protocol):
    """A linear SVM a class on frozen features, for images that show several (VOC07, Goyal et al. 2019, arXiv:1905.01235)."""

    use: Literal["multi_label"] = "multi_label"
    targets: ClassVar[Targets] = "label_sets"
    class_number: ClassVar[str] = "ap"
    costs: tuple[Positive, ...] = Field(default=(1e-3, 1e-2, 0.1, 1.0, 10.0), min_length=1)
    """Candidate costs of a wrong side (C), of which every class takes the best in three folds of train."""

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(set(self.costs)) < len(self.costs):
            raise ValueError(f"costs must be different numbers, got {list(self.costs)}")
        return self

    @property
    def numbers(self) -> tuple[str, ...]:
        return ("map",)
