"""Options that several methods share."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Interval, Model, NotNegative, Positive
from pipelines.spec.views import Augmentation

Keeps = Literal["both", "hardness", "gain"]


class Extrapolation(Model):
    """Positive extrapolation: q and k are pushed apart by a factor L = 1 + Beta(alpha, alpha)."""

    alpha: Positive = 2.0
    """Of the Beta distribution; 1 is uniform."""
    granularity: Literal["batch", "vector", "sample", "dimension"] = "batch"
    """One L a step (the released recipe), one a dimension, one a sample, or one for every sample and dimension."""
    key_gradient: bool = True
    """Whether the gradient also flows through the query inside the extrapolated key, as released. SimCLR has no key."""
    keeps: Keeps = "both"
    """Controls. Extrapolation lowers the positive score and multiplies its gradient by 1 + 2 L (L - 1). hardness: the
    lower score with the plain gradient. gain: the plain score with the larger gradient. Needs negatives_meet: original."""


class Interpolation(Model):
    """Negative interpolation: the queue mixed with a permutation of itself, l = Beta(alpha, alpha)."""

    alpha: Positive = 1.6
    """Of the Beta distribution; 1 is uniform."""
    granularity: Literal["batch", "vector", "row", "dimension"] = "batch"
    """One l a step (the released recipe), one a dimension, one a queue row, or one for every row and dimension."""
    queue: Literal["interpolated", "union"] = "interpolated"
    """interpolated: mixed negatives in place of the original ones. union: both, twice as many."""
    keeps: Literal["both", "length"] = "both"
    """Control. Mixed vectors are shorter, which acts like a higher temperature. length: every negative keeps its
    direction and takes the length that mixing gives it. The opposite is ``renormalise: negatives``."""


class FeatureTransform(Model):
    """Zhu et al. 2021 (arXiv:2108.02982). Defaults: the released recipe, both transforms, scalar factors."""

    positive: Extrapolation | None = Extrapolation()
    negative: Interpolation | None = Interpolation()
    start_epoch: NotNegative = 0.0
    """Epochs without transformation at the start."""
    end_epoch: Positive | None = None
    """Epoch from which there is no transformation any more; none: it stays on."""
    ramp_epochs: NotNegative = 0.0
    """Epochs from start_epoch over which the factors move linearly from no change to what is drawn."""
    renormalise: Literal["none", "positives", "negatives", "both"] = "none"
    """Which transformed vectors are put back on the sphere (the released recipe: none)."""
    negatives_meet: Literal["extrapolated", "original"] = "extrapolated"
    """Which query the negatives are scored against; the released code takes the extrapolated one."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.positive is None and self.negative is None:
            raise ValueError("positive and negative are both off; leave feature_transform out instead")
        if self.end_epoch is not None and self.end_epoch <= self.start_epoch:
            raise ValueError(f"end_epoch {self.end_epoch:g} must lie after start_epoch {self.start_epoch:g}")
        if self.positive and self.positive.keeps != "both" and self.negatives_meet == "extrapolated":
            raise ValueError(
                f"positive.keeps: {self.positive.keeps} is about the positive score alone; set negatives_meet: original"
            )
        return self

    @model_validator(mode="after")
    def _of_a_side_that_is_on(self) -> Self:
        on = {"positives": self.positive, "negatives": self.negative}
        for name in on if self.renormalise == "both" else (self.renormalise,):
            if name in on and on[name] is None:
                raise ValueError(
                    f"renormalise: {self.renormalise}: the {name[:-1]} side is off; leave it out of renormalise"
                )
        if self.negative and self.negative.keeps == "length" and self.renormalise in ("negatives", "both"):
            raise ValueError(
                "negative.keeps: length changes the length alone, which renormalise takes back; leave one of them out"
            )
        return self

    def check_begins(self, epochs: int) -> None:
        """ValueError when training of so many epochs ends before the transformation begins."""
        if self.start_epoch >= epochs:
            raise ValueError(
                f"feature_transform.start_epoch {self.start_epoch:g} must be less than the {epochs} epochs of training, else "
                "nothing is ever transformed; lower it, or leave feature_transform out"
            )

    def without_negatives(self, method: str, why: str) -> None:
        """ValueError unless the positive side alone is on, and is not a control against negatives that are not there."""
        if self.negative is not None:
            raise ValueError(
                f"feature_transform.negative: {method} {why} and has no negatives to interpolate; "
                "set feature_transform.negative: null"
            )
        if self.positive and self.positive.keeps != "both":
            raise ValueError(
                f"feature_transform.positive.keeps: {method} has no negatives that a positive score is weighed against; "
                "leave keeps out"
            )

    def of_drawn(self, loss: str, method: str) -> None:
        """ValueError where it does not go with a method that draws its negatives from a bank, and this loss."""
        if loss != "info_nce":
            raise ValueError(
                f"feature_transform: it changes the scores of a softmax over drawn negatives, not loss: {loss}; "
                "set loss: info_nce"
            )
        self.of_scores(method)

    def of_scores(self, method: str) -> None:
        """ValueError where the negatives' vectors would be needed by a method that mixes their scores."""
        negative = self.negative
        if negative and (
            self.renormalise in ("negatives", "both") or negative.granularity != "batch" or negative.keeps != "both"
        ):
            raise ValueError(
                f"feature_transform: {method} mixes the scores of its negatives, not the vectors, so that there is nothing to "
                "renormalise and one weight a step; leave negative.granularity at batch and negative.keeps at both, and "
                "take renormalise: positives or none"
            )


AUG_V1 = Augmentation(count=2, jitter=(0.4, 0.4, 0.4, 0.4), jitter_prob=1.0, grayscale_first=True, blur=0.0)
"""InstDisc's and MoCo v1's augmentation."""
AUG_V2 = Augmentation(count=2)
"""MoCo v2's augmentation."""


def byol_pair(
    smallest_crop: float, blur: bool = True, interpolation: Literal["bilinear", "bicubic"] = "bilinear"
) -> tuple[Augmentation, Augmentation]:
    """BYOL's two different views (Grill et al. 2020, appendix B): blur always or rarely, solarisation never or at times.

    smallest_crop: as a share of the image; blur: left out for small images; interpolation: of the resize.
    """
    common = Augmentation(scale=(smallest_crop, 1.0), jitter=(0.4, 0.4, 0.2, 0.1), interpolation=interpolation)
    return (
        common.model_copy(update={"blur": 1.0 if blur else 0.0}),
        common.model_copy(update={"blur": 0.1 if blur else 0.0, "solarize": 0.2}),
    )


class Crops(Model):
    """Multi-crop (arXiv:2006.09882): two full-size views and small ones. What is left out follows paper and image size."""

    local: int | None = Field(default=None, ge=0)
    """How many small views."""
    full_scale: Interval | None = None
    """Area of the full-size crops, as a share of the image."""
    local_scale: Interval | None = None
    """Area of the small ones."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("full_scale", "local_scale"):
            low, high = getattr(self, name) or (1.0, 1.0)
            if not 0 < low <= high <= 1:
                raise ValueError(f"{name} must be [low, high] with 0 < low <= high <= 1, got [{low:g}, {high:g}]")
        return self


def local_side(image_size: int | None) -> int:
    """Pixels of a side of multi-crop's small views: 96 of 224 (SwAV, DINO), half of the image up to 64 pixels.

    Between and beyond, 3/7 of the image in whole patches of 16, so that a vision transformer takes them.
    """
    if image_size is None:
        return 96
    if image_size <= 64:
        return max(1, image_size // 2)
    return max(1, round(image_size * 3 / 7 / 16)) * 16
