"""Options of Barlow Twins."""

from typing import Any, Literal

from pipelines.spec.base import Count, NotNegative, Positive
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.methods.parts import byol_pair
from pipelines.spec.views import Views


class Options(MethodOptions):
    """Barlow Twins (Zbontar et al. 2021, arXiv:2103.03230). Defaults are the paper's."""

    use: Literal["barlow_twins"] = "barlow_twins"
    dim: Count = 8192
    """Size of the embedding."""
    hidden: Count = 8192
    """Width of the projector's two hidden layers."""
    off_diagonal: NotNegative = 0.0051
    """Lambda: weight of the correlations between different features."""
    loss_scale: Positive = 0.024
    """Factor on the whole loss. LARS' adapted weights do not see it, but for weight decay; norms and biases learn at lr
    times it: the paper's 0.2 and 0.0048."""

    def default_views(self, image_size: int | None) -> Views:
        """BYOL's pair, resized bicubically; without blur up to 64 pixels, as on CIFAR."""
        return Views(augmentations=byol_pair(0.08, image_size is None or image_size > 64, "bicubic"))

    def default_training(self) -> dict[str, Any]:
        return {
            "optimizer": "lars",
            "lr_per_256": 0.2,
            "weight_decay": 1.5e-6,
            "decay_norm_and_bias": False,
            "warmup_epochs": 10.0,
            "final_lr_share": 0.001,
        }
