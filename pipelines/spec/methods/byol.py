"""Options of BYOL."""

from typing import Any, Literal, Self

from pydantic import model_validator

from pipelines.spec.base import Count, Share
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes, views_gflops
from pipelines.spec.methods.parts import FeatureTransform, byol_pair
from pipelines.spec.views import Views


class Options(MethodOptions):
    """BYOL (Grill et al. 2020, arXiv:2006.07733). Defaults are the paper's at 300 epochs."""

    use: Literal["byol"] = "byol"
    momentum: Share = 0.99
    """Of the target's moving average at the start: 0.97 for 40 epochs, 0.99 for 100 and 300, 0.996 for 1000."""
    momentum_schedule: Literal["cosine", "constant"] = "cosine"
    """cosine: from ``momentum`` to 1 over the run (the paper). constant: momentum 0 is then the online network without
    gradient, momentum 1 a target that never moves (table 5a)."""
    hidden: Count = 4096
    """Width of the hidden layer of projector and predictor."""
    predictor_hidden: Count | None = None
    """Width of the predictor's hidden layer where it differs from ``hidden``."""
    dim: Count = 256
    """Size of projection and prediction."""
    predictor: Literal["mlp", "none"] = "mlp"
    """none: the projection itself is compared with the target, which collapses (table 5b)."""
    norm: Literal["batch", "none", "group"] = "batch"
    """Normalisation of the heads' hidden layers; group: GroupNorm with weight standardisation (arXiv:2010.10241).
    The encoder's is its own option, ``encoder.norm``."""
    predictor_norm: Literal["batch", "none", "group"] | None = None
    """The predictor's, where it differs from the projector's ``norm``."""
    target_start: Literal["copy", "fresh"] = "copy"
    """Where the target starts: at the online network, as everyone else has it, or at weights of its own (the released
    code; no effect was seen)."""

    feature_transform: FeatureTransform | None = None
    """Extrapolates prediction and target (arXiv:2108.02982); the negative side has to be off, there are no negatives."""

    @model_validator(mode="after")
    def _no_negatives(self) -> Self:
        if self.feature_transform:
            self.feature_transform.without_negatives("BYOL", "compares pairs alone")
        return self

    @property
    def short_name(self) -> str:
        return "byol" + ("_ft" if self.feature_transform else "")

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """Both views pass both networks."""
        both = views_gflops(encoder, views, side)
        return Passes(both, both)

    def default_views(self, image_size: int | None) -> Views:
        """The paper's; without blur up to 64 pixels, as on CIFAR."""
        return Views(augmentations=byol_pair(0.08, blur=image_size is None or image_size > 64))

    def default_training(self) -> dict[str, Any]:
        return {
            "optimizer": "lars",
            "lr_per_256": 0.3,
            "weight_decay": 1e-6,
            "decay_norm_and_bias": False,
            "warmup_epochs": 10.0,
        }
