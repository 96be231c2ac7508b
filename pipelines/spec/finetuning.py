"""Protocols that train on images again: fine-tuning with few or all labels, and distillation of what came of it."""

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Model, NotNegative, Positive, Share
from pipelines.spec.encoders import AnyEncoder


class OnImages(Model):
    """A protocol that needs the weights and the images, not features. Settings are fixed, nothing is chosen."""

    on_images: ClassVar[bool] = True
    epochs: Count = 60
    batch_size: Count = 256
    optimizer: Literal["sgd", "lars", "adamw"] = "sgd"
    lr_per_256: Positive = 0.02
    lr_scaling: Literal["linear", "sqrt", "none"] = "linear"
    weight_decay: NotNegative = 0.0
    warmup_epochs: NotNegative = 0.0
    crop: tuple[Share, Share] = (0.08, 1.0)
    """Crop area as a share of the image; beside the crop only flips are drawn."""
    flip: Share = 0.5

    def training(self) -> dict[str, Any]:
        """The fields of ``Training`` that these settings decide."""
        names = ("epochs", "batch_size", "optimizer", "lr_per_256", "lr_scaling", "weight_decay", "warmup_epochs")
        return {name: getattr(self, name) for name in names}


class FineTune(OnImages):
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


class Distill(OnImages):
    """A student trained from scratch on the predictions of a fine-tuned teacher for unlabelled images (SimCLR v2, step 3).

    Defaults: temperature 1 for a smaller student; the paper takes 0.1 for a student of the teacher's own kind.
    """

    use: Literal["distill"] = "distill"
    teacher: FineTune
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
