"""Options that several methods share."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Interval, Model, NotNegative, Positive
from pipelines.spec.views import Augmentation


class Extrapolation(Model):
    """Positive extrapolation: q and k are pushed apart by a factor L = 1 + Beta(alpha, alpha)."""

    alpha: Positive = 2.0
    granularity: Literal["batch", "sample", "dimension"] = "batch"
    """One L a step (the released recipe), one a sample, or one for every sample and dimension."""


class Interpolation(Model):
    """Negative interpolation: the queue mixed with a permutation of itself, l = Beta(alpha, alpha)."""

    alpha: Positive = 1.6
    granularity: Literal["batch", "row", "dimension"] = "batch"
    """One l a step (the released recipe), one a queue row, or one for every row and dimension."""


class FeatureTransform(Model):
    """Zhu et al. 2021 (arXiv:2108.02982). Defaults: the released recipe, both transforms, scalar factors."""

    positive: Extrapolation | None = Extrapolation()
    negative: Interpolation | None = Interpolation()
    start_epoch: NotNegative = 0.0
    """Epochs without transformation at the start."""
    renormalise: bool = False
    """Put transformed vectors back on the sphere (the released recipe does not)."""
    negatives_meet: Literal["extrapolated", "original"] = "extrapolated"
    """Which query the negatives are scored against; the released code takes the extrapolated one."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.positive is None and self.negative is None:
            raise ValueError("positive and negative are both off; leave feature_transform out instead")
        return self


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
