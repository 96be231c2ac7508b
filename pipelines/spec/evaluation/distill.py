"""Options of distillation."""

from typing import Literal, Self

from pydantic import model_validator

from pipelines.spec.base import Positive, Share
from pipelines.spec.counts import Counts
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.evaluation import finetune
from pipelines.spec.evaluation.parts import WholeEncoder
from pipelines.spec.methods.base import MethodOptions


class Options(WholeEncoder):
    """A student trained from scratch on the predictions of a fine-tuned teacher for unlabelled images (SimCLR v2, step 3).

    Defaults: temperature 1 for a smaller student; the paper takes 0.1 for a student of the teacher's own kind.
    """

    use: Literal["distill"] = "distill"
    teacher: finetune.Options
    """How the teacher is made; a job of its own, shared with an equal entry of the study's evaluations."""
    student: AnyEncoder | None = None
    """None: the teacher's own kind (self-distillation)."""
    temperature: Positive = 1.0
    label_weight: Share = 0.0
    """Share of plain cross entropy on the labels the teacher saw."""
    squared_scale: bool = False
    """Multiply the loss by the squared temperature, as the released code does and the paper does not."""

    @model_validator(mode="after")
    def _mix(self) -> Self:
        if self.label_weight == 1:
            raise ValueError("label_weight 1 leaves nothing of the distillation; use finetune instead")
        return self

    def no_objective(self) -> str | None:
        return "learns from the classifier that another evaluation leaves, and a trial has none; take finetune"

    def suits(self, method: MethodOptions) -> bool:
        return self.teacher.suits(method)

    def check_counts(self, counts: Counts) -> None:
        super().check_counts(counts)
        self.teacher.check_counts(counts)
