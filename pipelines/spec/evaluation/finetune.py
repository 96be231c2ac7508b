"""Options of fine-tuning."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.errors import InputError
from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.counts import Counts
from pipelines.spec.evaluation.parts import WholeEncoder
from pipelines.spec.methods.base import MethodOptions

MOST_CLASSES = 1000
"""Of a data set, for what a job asks of a cluster."""


class Options(WholeEncoder):
    """The whole encoder trained with labels from the pretrained weights, a zero-initialised linear classifier on top.

    Defaults: SimCLR v2's for 1 % of the labels (60 epochs, no decay, no warm-up; arXiv:2006.10029, appendix B), with
    SGD in place of LARS. MAE's: optimizer adamw, layer_decay 0.65 to 0.75, weight_decay 0.05, warm-up 5, label_smoothing
    0.1, and what the fields below say of it.
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
    randaugment: int = Field(default=0, ge=0, le=30)
    """Magnitude of RandAugment's two operations an image (MAE: 9); 0: none."""
    erasing: Share = 0.0
    """Probability that a random box of an image is erased (MAE: 0.25)."""
    mixup: NotNegative = 0.0
    """Alpha of mixup's Beta distribution (MAE: 0.8); 0: none. With cutmix too, each batch takes one of them by lot."""
    cutmix: NotNegative = 0.0
    """Alpha of cutmix's (MAE: 1.0); 0: none."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """A ViT's rate of branches left out in the last block, rising from 0 in the first (MAE: 0.1)."""
    final_norm: bool = False
    """A new layer norm between the encoder and the classifier, as MAE has it behind the mean of the patches."""

    @property
    def amount(self) -> float:
        """A share of every class, or as an int so many of every class."""
        return self.labels_per_class or self.label_share

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if self.labels_per_class and "label_share" in self.model_fields_set and self.label_share != 1:
            raise ValueError("label_share and labels_per_class both say how many labels are used; leave one out")
        return self

    def labelled(self, images: int) -> int:
        if self.labels_per_class:
            return min(images, self.labels_per_class * MOST_CLASSES)
        return math.ceil(self.label_share * images)

    def suits(self, method: MethodOptions) -> bool:
        return self.head_layers <= method.num_head_layers

    def check_counts(self, counts: Counts) -> None:
        super().check_counts(counts)
        least, asked = counts.fewest(counts.train), self.labels_per_class or 0
        if counts.train[least] < asked:
            raise InputError(
                f"evaluation.finetune.labels_per_class: {asked} images asked for, but {counts.named(least)} has "
                f"{counts.train[least]} in train; ask for fewer"
            )
