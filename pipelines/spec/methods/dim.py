"""Options of Deep InfoMax."""

from typing import Any, Literal

from pydantic import Field

from pipelines.spec.base import Count, NotNegative, Positive
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.views import Augmentation, Views

PLAIN = Augmentation(
    scale=(1.0, 1.0),
    ratio=(1.0, 1.0),
    flip=0.0,
    jitter=(0.0, 0.0, 0.0, 0.0),
    jitter_prob=0.0,
    grayscale=0.0,
    blur=0.0,
)
"""The whole image, unchanged."""


class Options(MethodOptions):
    """DIM(L), the local objective (Hjelm et al. 2018, arXiv:1808.06670); defaults of rdevon/DIM and the paper."""

    use: Literal["dim"] = "dim"
    estimator: Literal["jsd", "info_nce", "dv"] = "jsd"
    """Of mutual information: Jensen-Shannon (the release's default), InfoNCE, Donsker-Varadhan."""
    own_score: float | None = -10.0
    """InfoNCE only: what an image's own other places score among the negatives; none drops them (the paper's formula).
    The released code sets -10."""
    local: int | None = Field(default=None, ge=0)
    """Number of the feature map with the local features, 0 the first; none: the deepest but the last with 7 or more
    places a side (8 x 8 of 32 pixels, the paper's)."""
    units: Count = 2048
    """Size that local and global features are brought to before they are compared; 1024 in the comparison with CPC."""
    dim: Count = 64
    """Size of the global feature."""
    hidden: Count = 1024
    """Width of the layer between the pooled feature and the global one."""
    beta: Positive = 1.0
    """Weight of the local objective."""
    gamma: NotNegative = 0.1
    """Weight of matching the global feature to a uniform prior; 0: none, and no discriminator."""

    def default_views(self, image_size: int | None) -> Views:
        """The image as it is (CIFAR); beyond 32 pixels a crop of two thirds of the side, flipped (STL-10: 64 of 96)."""
        if image_size is not None and image_size <= 32:
            return Views(augmentations=(PLAIN,))
        return Views(augmentations=(PLAIN.model_copy(update={"scale": (4 / 9, 4 / 9), "flip": 0.5}),))

    def default_training(self) -> dict[str, Any]:
        """Adam at a constant 1e-4, batch 64."""
        return {
            "optimizer": "adam",
            "lr_per_256": 1e-4,
            "lr_scaling": "none",
            "weight_decay": 0.0,
            "schedule": "constant",
            "batch_size": 64,
        }
