"""Options of residual networks."""

from typing import ClassVar, Literal, Self

from pipelines.spec.base import Count
from pipelines.spec.encoders.base import EncoderOptions

GFLOPS_224 = {10: 0.9, 18: 1.8, 34: 3.7, 50: 4.1, 101: 7.8, 152: 11.6}
"""Multiply-adds in billions of one forward pass at 224 pixels (the paper's table 1), width 64, large stem."""

SMALL_SIDE = 64
"""Largest images in pixels a side whose stem keeps their size (CIFAR has 32, Tiny-ImageNet 64)."""


class Options(EncoderOptions):
    """He et al. 2016 (arXiv:1512.03385)."""

    use: Literal["resnet"] = "resnet"
    in_blocks: ClassVar[bool] = True
    depth: Literal[10, 18, 34, 50, 101, 152] = 18
    """Layers; 10 is one basic block a stage."""
    width: Count = 64
    """Channels of the first stage; 64 is the published network, 128 its 2x form."""
    stem: Literal["large", "small"] | None = None
    """large: 7x7 stride 2 and max-pool. small: 3x3 stride 1, no pool (CIFAR). None: small up to 64 pixels."""
    norm: Literal["batch", "group", "none"] = "batch"
    """Normalisation; group: GroupNorm with weight standardisation."""
    zero_init: bool = False
    """Start the last normalisation of each residual block at zero, as some released codes do (SimCLR, SimSiam, MoCo v3);
    without normalisation the last convolution, which a deep network then needs."""

    @property
    def short_name(self) -> str:
        return f"resnet{self.depth}" + (f"w{self.width}" if self.width != 64 else "")

    def fitted(self, side: int | None) -> Self:
        stem = "small" if side is not None and side <= SMALL_SIDE else "large"
        return self if self.stem else self.model_copy(update={"stem": stem})

    @property
    def feature_width(self) -> int:
        return 8 * self.width * (1 if self.depth < 50 else 4)

    def forward_gflops(self, image_size: int) -> float:
        stem = 16 if self.stem == "small" else 1  # no pooling: every map is four times as wide and high
        return GFLOPS_224[self.depth] * (self.width / 64) ** 2 * (image_size / 224) ** 2 * stem
