"""Options of DINO."""

from typing import Any, Literal

from pydantic import Field

from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes, views_gflops
from pipelines.spec.methods.parts import Crops, local_side
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """DINO (Caron et al. 2021, arXiv:2104.14294)."""

    use: Literal["dino"] = "dino"
    recipe: Literal["vit", "convnet"] = "vit"
    """Which of the released recipes crops and training default to; the heads are the same. Any encoder goes with both."""
    outputs: Count = 65536
    """K, the size of the distributions that are compared."""
    head_layers: Count = 3
    """Layers before the last one."""
    hidden: Count = 2048
    """Width of the head's hidden layers."""
    bottleneck: Count = 256
    """Size of the unit vector that the last layer scores."""
    norm: Literal["none", "batch"] = "none"
    """Normalisation of the head's hidden layers; batch costs a ViT about a point, convnets on CIFAR had it in peers."""
    norm_last_layer: bool = True
    """Fix the gain of the last layer's rows at 1. False is better for ViT-S, and unstable for larger ones."""
    frozen_epochs: NotNegative = 1.0
    """Epochs at the start in which the last layer does not learn."""
    student_temperature: Positive = 0.1
    teacher_temperature: Positive = 0.04
    """Reached after the warm-up. Above 0.07 training became unstable."""
    teacher_temperature_start: Positive | None = None
    """In the first epoch; none: no warm-up. The release's longer runs rise from 0.04 to 0.07 over 30 epochs."""
    teacher_warmup_epochs: int = Field(default=30, ge=1)
    """Epochs of that rise, which goes in steps of an epoch."""
    centre_momentum: Share = 0.9
    """Of the running mean of the teacher's outputs; 1: no centring (the collapse ablation)."""
    momentum: Share = 0.996
    """Of the teacher's moving average at the start; 0.9995 is advised at batch 256."""
    momentum_schedule: Literal["cosine", "constant"] = "cosine"
    """cosine: from ``momentum`` to 1 over the run."""
    drop_path: Share | None = None
    """Of the student's blocks, rising from 0 to this; the teacher has none. None: 0.1 for a ViT."""
    crops: Crops = Crops()
    """Eight small views by default, or four up to 64 pixels. The student alone sees them."""

    @property
    def student_drop_path(self) -> float:
        """The rate of a ViT student's last block."""
        return 0.1 if self.drop_path is None else self.drop_path

    @property
    def epoch_shares(self) -> dict[str, float]:
        """The release's 30 epochs of rising temperature are 0.3 of its shortest run."""
        rising = self.teacher_temperature_start is not None
        return {"frozen_epochs": 0.1, **({"teacher_warmup_epochs": 0.3} if rising else {})}

    def default_views(self, image_size: int | None) -> Views:
        """Two different full-size crops and eight small ones.

        Up to 64 pixels: four small crops of half the side, and no blur.
        """
        small = image_size is not None and image_size <= 64
        count = self.crops.local if self.crops.local is not None else (4 if small else 8)
        full, local = ((0.4, 1.0), (0.05, 0.4)) if self.recipe == "vit" else ((0.14, 1.0), (0.05, 0.14))
        if small:
            full, local = (0.4 if count else 0.2, 1.0), (0.1, 0.4)
        elif not count:
            full = (0.14, 1.0)
        first = Augmentation(
            scale=self.crops.full_scale or full,
            interpolation="bicubic",
            jitter=(0.4, 0.4, 0.2, 0.1),
            blur=0.0 if small else 1.0,
        )
        second = first.model_copy(update={"blur": 0.0 if small else 0.1, "solarize": 0.2})
        if not count:
            return Views(augmentations=(first, second))
        change = {"count": count, "scale": self.crops.local_scale or local, "blur": 0.0 if small else 0.5}
        third = first.model_copy(update={**change, "size": local_side(image_size)})
        return Views(augmentations=(first, second, third))

    def default_training(self) -> dict[str, Any]:
        """AdamW with rising decay for the ViT recipe, SGD for the convnet one; each gradient clipped at norm 3."""
        common = {"warmup_epochs": 10.0, "decay_norm_and_bias": False, "clip": 3.0}
        if self.recipe == "convnet":
            return {**common, "optimizer": "sgd", "lr_per_256": 0.03, "weight_decay": 1e-4}
        return {
            **common,
            "optimizer": "adamw",
            "lr_per_256": 5e-4,
            "final_lr_share": 5e-4,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
        }

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """The teacher sees the two full-size views only."""
        return Passes(views_gflops(encoder, views, side), views_gflops(encoder, views, side, 2))

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        if self.teacher_temperature_start is not None and self.teacher_warmup_epochs > training.epochs:
            raise ValueError(
                f"teacher_warmup_epochs {self.teacher_warmup_epochs} must be at most epochs ({training.epochs}), else "
                f"teacher_temperature {self.teacher_temperature:g} is never reached; lower it"
            )
        if self.drop_path and not isinstance(encoder, ViT):
            raise ValueError(
                f"drop_path {self.drop_path:g}: a {encoder.use} has none here; leave it out or use encoder vit"
            )
        if isinstance(encoder, ViT) and encoder.drop_path:
            raise ValueError(
                f"encoder.drop_path {encoder.drop_path:g} would reach the teacher too, which has none; "
                f"leave it out and set the method's drop_path"
            )
