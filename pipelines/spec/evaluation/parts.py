"""What protocols that train on images again share: fine-tuning with few or all labels, and distillation of its result."""

from typing import Any, ClassVar, Literal

from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.evaluation.base import Protocol


class OnImages(Protocol):
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
