"""Options of SimCLR v1 and v2 (pretraining)."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Positive
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """SimCLR v1 (Chen et al. 2020, arXiv:2002.05709) and v2 (arXiv:2006.10029)."""

    use: Literal["simclr"] = "simclr"
    version: Literal[1, 2] = 1
    """2: a head of three layers, of which fine-tuning keeps the first."""
    temperature: Positive = 0.1
    """0.1 on ImageNet; 0.5 in the paper's CIFAR-10 runs."""
    dim: Count = 128
    """Size of the embedding."""
    hidden: Count | None = None
    """Width of the head's hidden layers; none: the encoder's width."""
    head_layers: int = Field(default=2, ge=0)
    """2; 3 in version 2 unless given. 1: a linear head. 0: none, the loss is on the features themselves and ``dim`` is
    the encoder's width (section 4.2 compares the three)."""
    scale: Literal["paper", "code"] = "paper"
    """paper: mean over the 2N anchors. code: twice that, as the released code sums over the two views."""
    strength: Positive = 1.0
    """Colour distortion strength s; 0.5 on CIFAR."""
    feature_transform: FeatureTransform | None = None

    @model_validator(mode="before")
    @classmethod
    def _version_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("version") == 2:
            return {"head_layers": 3, **data}
        return data

    @model_validator(mode="after")
    def _negatives_as_scores(self) -> Self:
        if self.feature_transform:
            self.feature_transform.of_scores("SimCLR")
            if self.feature_transform.positive and not self.feature_transform.positive.key_gradient:
                raise ValueError(
                    "feature_transform.positive.key_gradient: both embeddings of SimCLR are queries, and none is a key "
                    "that could be held constant; leave key_gradient out"
                )
        return self

    @property
    def short_name(self) -> str:
        return ("simclr" if self.version == 1 else "simclr_v2") + ("_ft" if self.feature_transform else "")

    @property
    def num_head_layers(self) -> int:
        return self.head_layers

    def default_views(self, image_size: int | None) -> Views:
        small = image_size is not None and image_size <= 64  # the paper's CIFAR runs leave blur out
        s = self.strength
        return Views(
            augmentations=(
                Augmentation(
                    count=2,
                    interpolation="bicubic",
                    scale=(0.08, 1.0),
                    jitter=(0.8 * s, 0.8 * s, 0.8 * s, min(0.2 * s, 0.5)),
                    blur=0.0 if small else 0.5,
                ),
            )
        )

    def default_training(self) -> dict[str, Any]:
        return {
            "optimizer": "lars",
            "lars_lr_in_buffer": True,
            "lr_per_256": 0.3,
            "weight_decay": 1e-6,
            "decay_norm_and_bias": False,
            "warmup_epochs": 10.0,
        }
