"""Options of SimSiam."""

from typing import Any, Literal, Self

from pydantic import model_validator

from pipelines.spec.base import Count
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """SimSiam (Chen and He 2020, arXiv:2011.10566)."""

    use: Literal["simsiam"] = "simsiam"
    dim: Count = 2048
    """Size of projection and prediction."""
    hidden: Count | None = None
    """Width of the projector's hidden layers; none: the encoder's width, 2048 for ResNet-50."""
    projector_layers: Count = 3
    """3 on ImageNet, 2 in the paper's CIFAR-10 runs."""
    predictor_hidden: Count | None = None
    """Width of the predictor's bottleneck; none: a quarter of ``dim``."""
    predictor: Literal["mlp", "none", "fixed"] = "mlp"
    """none: the projection itself, which collapses; fixed: random and never trained, which does not learn (table 1)."""
    constant_predictor_lr: bool = True
    """Whether the predictor's learning rate stays at the peak: 68.1 per cent against 67.7 (table 1)."""
    stop_gradient: bool = True
    """False lets the gradient into the target as well: the collapse ablation (section 4.1)."""
    norm: Literal["none", "hidden", "default", "all"] = "default"
    """Where the heads have batch norm (table 3). hidden: in hidden layers; default: on the projection too; all: on the
    prediction too."""
    feature_transform: FeatureTransform | None = None
    """Extrapolates prediction and target (arXiv:2108.02982); the negative side has to be off, there are no negatives."""

    @model_validator(mode="after")
    def _no_negatives(self) -> Self:
        if self.feature_transform:
            self.feature_transform.without_negatives("SimSiam", "compares pairs alone")
        return self

    @property
    def short_name(self) -> str:
        return "simsiam" + ("_ft" if self.feature_transform else "")

    def default_views(self, image_size: int | None) -> Views:
        """MoCo v2's; without blur up to 64 pixels, as in the paper's CIFAR-10 runs."""
        small = image_size is not None and image_size <= 64
        return Views(augmentations=(Augmentation(count=2, blur=0.0 if small else 0.5),))

    def default_training(self) -> dict[str, Any]:
        return {"lr_per_256": 0.05, "weight_decay": 1e-4}
