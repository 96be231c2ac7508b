"""Options of fine-tuning."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Positive
from pipelines.spec.evaluation.parts import WholeEncoder
from pipelines.spec.methods.base import MethodOptions


class Options(WholeEncoder):
    """The whole encoder trained with labels from the pretrained weights, a zero-initialised linear classifier on top.

    Defaults: SimCLR v2's for 1 % of the labels (60 epochs, no decay, no warm-up; arXiv:2006.10029, appendix B), with
    SGD in place of LARS. MAE's: optimizer adamw, layer_decay 0.65 to 0.75, weight_decay 0.05, warm-up 5.
    Differs from MAE's recipe: no RandAugment, mixup, cutmix, random erasing or drop path.
    """

    use: Literal["finetune"] = "finetune"
    label_share: float = Field(default=1.0, gt=0, le=1)
    """Share of every class's labels that are used, at least one of each; drawn with the run's seed."""
    labels_per_class: Count | None = None
    """In place of a share: so many labels of every class."""
    head_layers: int = Field(default=0, ge=0)
    """Layers of the projection head kept below the classifier (SimCLR v2: 1)."""
    layer_decay: Positive | None = None
    """A ViT's rate times this for every block further from the top (MAE); none: the same rate everywhere."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)

    @property
    def amount(self) -> float:
        """A share of every class, or as an int so many of every class."""
        return self.labels_per_class or self.label_share

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if self.labels_per_class and "label_share" in self.model_fields_set and self.label_share != 1:
            raise ValueError("label_share and labels_per_class both say how many labels are used; leave one out")
        return self

    def suits(self, method: MethodOptions) -> bool:
        return method.layered_head or not self.head_layers
