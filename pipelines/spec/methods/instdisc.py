"""Options of InstDisc."""

from typing import Any, Literal, Self

from pydantic import model_validator

from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """InstDisc (Wu et al. 2018, arXiv:1805.01978), also called NPID."""

    use: Literal["instdisc"] = "instdisc"
    loss: Literal["nce", "softmax", "info_nce"] = "nce"
    """nce: binary questions, Z fixed at the first step (the paper). softmax: cross entropy over all slots (the released
    CIFAR-10 recipe). info_nce: cross entropy over the own slot and the drawn ones (the released code's later form)."""
    temperature: Positive = 0.07
    """0.07 on ImageNet, 0.1 on CIFAR-10."""
    num_negatives: Count = 4096
    """Slots drawn for each image, with repeats; unused with ``loss: softmax``."""
    bank_momentum: Share = 0.5
    """Share of its old content that a slot keeps at a visit."""
    bank_start: Literal["uniform", "unit"] = "uniform"
    """uniform: the released code's, not normalised. unit: random unit vectors (the paper)."""
    dim: Count = 128
    """Size of the embedding."""
    proximal: NotNegative = 0.0
    """lambda of the proximal term (eq. 10): 30 in the paper, absent from the released code, which smooths by
    ``bank_momentum`` instead."""

    feature_transform: FeatureTransform | None = None
    """Zhu et al. 2021 (arXiv:2108.02982), ours to place here: the slot is the key, the drawn slots are the queue. For
    ``loss: info_nce`` only."""

    @model_validator(mode="after")
    def _transform(self) -> Self:
        if self.feature_transform:
            self.feature_transform.of_drawn(self.loss, "InstDisc")
        return self

    @property
    def short_name(self) -> str:
        return "instdisc" + ("_ft" if self.feature_transform else "")

    def default_views(self, image_size: int | None) -> Views:
        """One view an image. Up to 64 pixels without flip and with the jitter first, as in the released CIFAR recipe."""
        small = image_size is not None and image_size <= 64
        return Views(
            augmentations=(
                Augmentation(
                    jitter=(0.4, 0.4, 0.4, 0.4),
                    jitter_prob=1.0,
                    grayscale_first=not small,
                    flip=0.0 if small else 0.5,
                    blur=0.0,
                ),
            )
        )

    def default_training(self) -> dict[str, Any]:
        """SGD at 0.03, a tenth of it after 120 and again after 160 of 200 epochs."""
        return {"schedule": "step", "milestones": (0.6, 0.8)}
