"""Options of the linear segmentation probe."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Positive
from pipelines.spec.datasets.base import Targets
from pipelines.spec.evaluation.base import Protocol


class Options(Protocol):
    """A linear classifier of the places of a frozen encoder's last feature map (DINOv2, arXiv:2304.07193, section 7.4)."""

    use: Literal["segmentation"] = "segmentation"
    targets: ClassVar[Targets] = "masks"
    class_number: ClassVar[str] = "iou"
    strengths: tuple[Positive, ...] = Field(default=(1e-5, 1e-4, 1e-3, 1e-2), min_length=1)
    """Of the regularisation, chosen on the held-out images."""
    iterations: int = Field(default=100, ge=1)
    """Of L-BFGS, at most."""

    @model_validator(mode="after")
    def _different(self) -> Self:
        if len(set(self.strengths)) < len(self.strengths):
            raise ValueError(f"strengths must be different numbers, got {list(self.strengths)}")
        return self

    @property
    def numbers(self) -> tuple[str, ...]:
        return ("miou",)

    @property
    def accuracies(self) -> tuple[str, ...]:
        return (*self.numbers, "pixel_accuracy")
