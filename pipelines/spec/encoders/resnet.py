"""Options of residual networks."""

from typing import ClassVar, Literal, Self

from pipelines.spec.base import Count
from pipelines.spec.encoders.base import EncoderOptions, Shape, Telling

GFLOPS_224 = {10: 0.9, 18: 1.8, 34: 3.7, 50: 4.1, 101: 7.8, 152: 11.6}
"""Multiply-adds in billions of one forward pass at 224 pixels (the paper's table 1), width 64, large stem."""

BLOCKS = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks of the four stages; from 50 layers on a block has three convolutions, before two."""
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

    def telling(self) -> Telling:
        side = {"large": 7, "small": 3, None: None}[self.stem]
        found: dict[str, Shape | None] = {"conv1.weight": (self.width, None, side, side)}
        third = (4 * self.width, self.width, 1, 1) if self.depth >= 50 else None
        found["layer1.0.conv3.weight"] = third
        for stage, count in enumerate(BLOCKS[self.depth]):
            planes = self.width * 2**stage
            found[f"layer{stage + 1}.{count - 1}.conv1.weight"] = (planes, None, None, None)
            found[f"layer{stage + 1}.{count}.conv1.weight"] = None
        return found

    @property
    def feature_width(self) -> int:
        return 8 * self.width * (1 if self.depth < 50 else 4)

    def forward_gflops(self, image_size: int) -> float:
        stem = 16 if self.stem == "small" else 1  # no pooling: every map is four times as wide and high
        return GFLOPS_224[self.depth] * (self.width / 64) ** 2 * (image_size / 224) ** 2 * stem
