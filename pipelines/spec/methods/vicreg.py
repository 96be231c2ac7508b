"""Options of VICReg."""

from typing import Any, Literal

from pipelines.spec.base import Count, NotNegative
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.methods.parts import byol_pair
from pipelines.spec.views import Views


class Options(MethodOptions):
    """VICReg (Bardes et al. 2022, arXiv:2105.04906). Defaults are the paper's at 1000 epochs."""

    use: Literal["vicreg"] = "vicreg"
    dim: Count = 8192
    """Size of the embedding."""
    hidden: Count = 8192
    """Width of the expander's two hidden layers."""
    invariance: NotNegative = 25.0
    """Weight of the squared distance between the views."""
    variance: NotNegative = 25.0
    """Weight of the hinge that keeps each feature's standard deviation at 1 or more."""
    covariance: NotNegative = 1.0
    """Weight of the squared covariances of different features."""
    scale: Literal["paper", "code"] = "paper"
    """paper: the hinges of the two views are summed (eq. 6). code: their mean, as the released code has it."""

    def default_views(self, image_size: int | None) -> Views:
        """The released code's: BYOL's pair, resized bicubically; without blur up to 64 pixels, as on CIFAR."""
        return Views(augmentations=byol_pair(0.08, image_size is None or image_size > 64, "bicubic"))

    def default_training(self) -> dict[str, Any]:
        return {
            "optimizer": "lars",
            "lr_per_256": 0.2,
            "weight_decay": 1e-6,
            "decay_norm_and_bias": False,
            "warmup_epochs": 10.0,
            "final_lr_share": 0.001,
        }
