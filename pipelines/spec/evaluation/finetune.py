"""Options of fine-tuning."""

from typing import Literal

from pydantic import Field

from pipelines.spec.base import Positive
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
    """Share of the training labels used, the same number a class, at least one; drawn with the run's seed."""
    head_layers: int = Field(default=0, ge=0)
    """Layers of the projection head kept below the classifier (SimCLR v2: 1)."""
    layer_decay: Positive | None = None
    """A ViT's rate times this for every block further from the top (MAE); none: the same rate everywhere."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)

    def suits(self, method: MethodOptions) -> bool:
        return method.layered_head or not self.head_layers
