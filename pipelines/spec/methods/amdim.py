"""Options of AMDIM."""

from typing import Any, Literal

from pydantic import Field

from pipelines.spec.base import Count, NotNegative, Positive
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.base import Encoder, MethodOptions
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """AMDIM (Bachman et al. 2019, arXiv:1906.00910); defaults of Philip-Bachman/amdim-public."""

    use: Literal["amdim"] = "amdim"
    middle: int | None = Field(default=None, ge=0)
    """Number of the feature map that plays the 5 x 5 one, 0 the first; none: the one whose side comes nearest to 5."""
    large: int | None = Field(default=None, ge=0)
    """Number of the feature map that plays the 7 x 7 one; none: the one before ``middle``."""
    dim: Count | None = None
    """Size of the compared features; none: the encoder's width, as in the paper (1024 on CIFAR-10, 1536 on ImageNet)."""
    clip: Positive = 20.0
    """Scores are clipped to clip x tanh(score / clip)."""
    penalty: NotNegative = 0.05
    """Weight of the mean squared score before clipping."""

    def default_views(self, image_size: int | None) -> Views:
        """Two views that share their flip. Up to 32 pixels a translation by an eighth (4 of 32), beyond a crop.

        Hue at most 0.1 from 128 pixels on, else 0.2. Crops are bilinear; the release's, and the recipe's for
        ImageNet, are bicubic.
        """
        small = image_size is not None and image_size <= 32
        hue = 0.2 if image_size is not None and image_size < 128 else 0.1
        common = Augmentation(count=2, jitter=(0.4, 0.4, 0.4, hue), grayscale=0.25, blur=0.0)
        if small:
            assert image_size is not None
            place: dict[str, Any] = {"translate": max(1, image_size // 8), "translate_prob": 0.8}
        else:
            place = {"scale": (0.3, 1.0), "ratio": (0.7, 1.4)}
        return Views(augmentations=(common.model_copy(update=place),), shared_flip=True)

    def default_training(self) -> dict[str, Any]:
        """Adam with its two late steps; the release's warm-up of 500 updates is 2 epochs of CIFAR-10."""
        return {
            "optimizer": "adam",
            "lr_per_256": 2e-4,
            "lr_scaling": "none",
            "betas": (0.8, 0.999),
            "weight_decay": 1e-5,
            "schedule": "step",
            "milestones": (0.833, 0.933),
            "step_factor": 0.2,
            "warmup_epochs": 2.0,
        }

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        if isinstance(encoder, ViT):
            raise ValueError("encoder vit has a map of one size only; amdim compares maps of two sizes, use resnet")
