"""View recipes: which random views of an image a method trains on."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Interval, Model, NotNegative, Positive, Share

Colours = Literal["rgb", "unit", "lab", "ycbcr", "ydbdr"]


class Augmentation(Model):
    """One kind of view: a random resized crop, then flip, colour and blur in the order of the fields.

    The defaults are MoCo v2's (Chen et al. 2020, arXiv:2003.04297).
    """

    count: Count = 1
    """How many views of this kind, each with draws of its own."""
    size: Count | None = None
    """Side in pixels; none: the data set's image size."""
    scale: Interval = (0.2, 1.0)
    """Crop area as a share of the image; (1, 1) with ratio (1, 1) is the whole image."""
    ratio: Interval = (3 / 4, 4 / 3)
    """Width over height of the crop."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """Filter of the resize, antialiased."""
    translate: int = Field(default=0, ge=0)
    """Pixels of random translation with reflected border in place of a crop (AMDIM on CIFAR); 0: none."""
    translate_prob: Share = 1.0
    """Probability of the translation, where there is one."""
    flip: Share = 0.5
    """Probability of a horizontal flip."""
    jitter: tuple[NotNegative, NotNegative, NotNegative, NotNegative] = (0.4, 0.4, 0.4, 0.1)
    """Brightness, contrast, saturation, hue: half-widths of the factors around 1 (hue: around 0, at most 0.5)."""
    jitter_prob: Share = 0.8
    grayscale_first: bool = False
    """Grayscale before the jitter (InstDisc's and MoCo v1's order)."""
    grayscale: Share = 0.2
    blur: Share = 0.5
    """Probability of a Gaussian blur."""
    blur_sigma: Interval = (0.1, 2.0)
    """Standard deviation of the blur in pixels of a 224-pixel image; scaled to the view's side."""
    solarize: Share = 0.0
    """Probability of inverting all values of at least one half."""
    colour: Colours = "rgb"
    """Colours of the result. rgb: normalised by the data set's mean and deviation. unit: RGB as it is, from 0 to 1 (SimCLR's
    code). The others: that colour space, normalised by its own constants (CMC)."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("scale", "ratio", "blur_sigma"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be [low, high] with low <= high, got [{low}, {high}]")
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"scale must lie in (0, 1], got {list(self.scale)}")
        if self.size is not None and self.translate >= self.size:
            raise ValueError(f"translate ({self.translate}) must be below the view's size ({self.size})")
        if self.jitter[3] > 0.5:
            raise ValueError(f"jitter[3] (hue) must be at most 0.5, got {self.jitter[3]}")
        return self


class Jigsaw(Model):
    """A view cut into a grid of cells with a random patch from each, in random order (PIRL)."""

    grid: Count = 3
    cell: Count = 85
    """Side of a cell in pixels; the image is cropped to grid x cell first."""
    patch: Count = 64
    """Side of the random patch cut from each cell."""
    scale: Interval = (0.6, 1.0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.patch > self.cell:
            raise ValueError(f"patch ({self.patch}) must not be larger than its cell ({self.cell})")
        return self


class Views(Model):
    """A recipe: the views of one image, in order. A jigsaw, when there is one, comes last, as (N, grid^2, 3, p, p)."""

    augmentations: tuple[Augmentation, ...] = Field(default=(Augmentation(count=2),), min_length=1)
    shared_flip: bool = False
    """One draw of the flip for all views of an image (AMDIM)."""
    jigsaw: Jigsaw | None = None

    @property
    def kinds(self) -> tuple[Augmentation, ...]:
        """One augmentation a view, ``count`` written out."""
        return tuple(kind for kind in self.augmentations for _ in range(kind.count))


class AugmentationChange(Model):
    """What a study changes in every augmentation of a recipe; what is not named stays."""

    size: Count | None = None
    """Side of every view in pixels; refused where a recipe has views of several sizes."""
    scale: Interval | None = None
    ratio: Interval | None = None
    interpolation: Literal["bilinear", "bicubic"] | None = None
    flip: Share | None = None
    jitter: tuple[NotNegative, NotNegative, NotNegative, NotNegative] | None = None
    jitter_prob: Share | None = None
    grayscale_first: bool | None = None
    grayscale: Share | None = None
    blur: Share | None = None
    blur_sigma: tuple[Positive, Positive] | None = None
    solarize: Share | None = None
    colour: Literal["rgb", "unit"] | None = None
    """Whether RGB values are normalised; a method that splits other colours (CMC) refuses it."""
