"""ResNet (He et al. 2016, arXiv:1512.03385), with the stem, widths and normalisations that self-supervision uses.

Own code, because importing torchvision or timm costs a job seconds. Parameter names and (at width 64 with the large
stem) shapes and outputs equal torchvision's, so that published checkpoints load strictly once their classifier is
dropped. As there, a bottleneck's stride sits in its 3x3 convolution (the paper's in the first 1x1).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.encoders.base import Encoder, EncoderBlock
from pipelines.encoders.norms import NormKind, conv, norm
from pipelines.spec.encoders.resnet import BLOCKS, Options

NARROW = 16
"""Channels below which a shortcut does its stride itself. With fewer than a vector of channels, oneDNN's backward pass of a
strided 1x1 convolution in channels_last memory writes past its workspace: wrong gradients, and crashes some steps later (seen
with oneDNN 3.13 on AVX2 below 8; github.com/uxlfoundation/oneDNN/issues/6035). A vector of AVX-512 has 16."""


class NarrowShortcut(nn.Sequential):
    """The places that a strided 1x1 convolution would read, then its layers without a stride: the same function."""

    def __init__(self, stride: int, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, outside, H / stride, W / stride)."""
        return super().forward(input[:, :, :: self.stride, :: self.stride])


def _shortcut(kind: NormKind, inside: int, outside: int, stride: int) -> nn.Module | None:
    if stride == 1 and inside == outside:
        return None
    if stride > 1 and inside < NARROW:
        return NarrowShortcut(stride, conv(kind, inside, outside, 1), norm(kind, outside))
    return nn.Sequential(conv(kind, inside, outside, 1, stride), norm(kind, outside))


class BasicBlock(EncoderBlock):
    """Two 3x3 convolutions beside a shortcut (figure 5, left)."""

    expansion = 1

    def __init__(self, inside: int, channels: int, stride: int, kind: NormKind) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(kind, inside, channels, 3, stride), norm(kind, channels)
        self.conv2, self.bn2 = conv(kind, channels, channels, 3), norm(kind, channels)
        self.downsample = _shortcut(kind, inside, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)).add_(shortcut), inplace=True)

    def last(self) -> tuple[nn.Module, nn.Module]:
        """The convolution and the normalisation that end the residual branch."""
        return self.conv2, self.bn2


class Bottleneck(EncoderBlock):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, the middle at a quarter of the width (figure 5, right)."""

    expansion = 4

    def __init__(self, inside: int, channels: int, stride: int, kind: NormKind) -> None:
        super().__init__()
        outside = channels * self.expansion
        self.conv1, self.bn1 = conv(kind, inside, channels, 1), norm(kind, channels)
        self.conv2, self.bn2 = conv(kind, channels, channels, 3, stride), norm(kind, channels)
        self.conv3, self.bn3 = conv(kind, channels, outside, 1), norm(kind, outside)
        self.downsample = _shortcut(kind, inside, outside, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, 4 channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return F.relu(self.bn3(self.conv3(x)).add_(shortcut), inplace=True)

    def last(self) -> tuple[nn.Module, nn.Module]:
        """The convolution and the normalisation that end the residual branch."""
        return self.conv3, self.bn3


class ResNet(Encoder):
    """depth 10, 18, 34 (basic blocks), 50, 101, 152 (bottlenecks); width: channels of the first stage.

    stem       large: 7x7 stride 2 and max-pool; small: 3x3 stride 1 and no pool, for images of 32 pixels or so
    kind       normalisation: batch, group (with weight standardisation) or none (convolutions get biases)
    zero_init  residual branches start at zero: the last normalisation's weight, or without normalisation the last
               convolution (Goyal et al. 2017, arXiv:1706.02677, section 5.1; Zhang et al. 2019, arXiv:1901.09321)
    """

    def __init__(
        self,
        depth: int = 18,
        width: int = 64,
        stem: Literal["large", "small"] = "large",
        kind: NormKind = "batch",
        zero_init: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        block = BasicBlock if depth < 50 else Bottleneck
        self.conv1 = conv(kind, in_channels, width, *((7, 2) if stem == "large" else (3, 1)))
        self.bn1 = norm(kind, width)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if stem == "large" else nn.Identity()
        self.map_widths = tuple(width * 2**stage * block.expansion for stage in range(4))
        inside, stages = (width, *self.map_widths), []
        for stage, count in enumerate(BLOCKS[depth]):
            channels, outside = width * 2**stage, self.map_widths[stage]
            first = block(inside[stage], channels, 2 if stage else 1, kind)
            rest = (block(outside, channels, 1, kind) for _ in range(count - 1))
            stages.append(nn.Sequential(first, *rest))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.width = self.map_widths[-1]
        self._initialise(zero_init)

    def _initialise(self, zero_init: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if zero_init:
            for module in self.modules():
                if isinstance(module, BasicBlock | Bottleneck):
                    convolution, normalisation = module.last()
                    last = convolution if isinstance(normalisation, nn.Identity) else normalisation
                    assert isinstance(last.weight, Tensor)
                    nn.init.zeros_(last.weight)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """(N, C, H, W) -> the outputs of the four stages, each half the side of the one before."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True))
        maps = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, width), the mean over places of the last stage."""
        return torch.mean(self.feature_maps(images)[-1], dim=(2, 3))


def build(options: Options, image_size: int, in_channels: int = 3) -> ResNet:
    """The encoder that the options describe, freshly initialised."""
    return ResNet(options.depth, options.width, options.stem or "large", options.norm, options.zero_init, in_channels)
