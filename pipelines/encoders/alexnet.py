"""AlexNet with batch normalisation after every layer, as CMC uses it (Tian et al. 2020, arXiv:1906.05849, appendix).

Five convolutions and two linear layers of 4096; the third linear layer (to 128) is a method's head. A ``share`` of 0.5
halves every layer: the branch for one of CMC's two views, with linear layers of 2048. There is no dropout and no local
response normalisation.
Differs from CMC in one point: images of other sizes than 224 are taken, down to 63 pixels.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.spec.encoders.alexnet import HIDDEN, Options

CHANNELS = (96, 256, 384, 384, 256)
SMALLEST = 63
"""Pixels a side below which nothing is left after the third pool."""


def _convolution(inside: int, outside: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, padding, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


def _linear(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inside, outside), nn.BatchNorm1d(outside), nn.ReLU(inplace=True))


class AlexNet(Encoder):
    """share: width of every layer relative to AlexNet's. image_size: side in pixels, at least 63 (else InputError).

    Images of another size are averaged to the same 6 x 6 places (for 224) before the linear layers.
    """

    def __init__(self, share: float = 1.0, image_size: int = 224, in_channels: int = 3) -> None:
        super().__init__()
        if image_size < SMALLEST:
            raise InputError(
                f"encoder.use: alexnet needs images of at least {SMALLEST} pixels, these have {image_size}; "
                "use resnet with stem: small"
            )
        a, b, c, d, e = self.map_widths = tuple(max(1, round(channels * share)) for channels in CHANNELS)
        self.width = max(1, round(HIDDEN * share))
        self.conv1 = _convolution(in_channels, a, 11, 4, 2)
        self.conv2 = _convolution(a, b, 5, 1, 2)
        self.conv3 = _convolution(b, c, 3, 1, 1)
        self.conv4 = _convolution(c, d, 3, 1, 1)
        self.conv5 = _convolution(d, e, 3, 1, 1)
        self.pool = nn.MaxPool2d(3, 2)
        self.side = _side_after_pools(image_size)
        self.fc6 = _linear(e * self.side**2, self.width)
        self.fc7 = _linear(self.width, self.width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """(N, C, H, W) -> the outputs of the five convolutions, before the pools."""
        one = self.conv1(images)
        two = self.conv2(self.pool(one))
        three = self.conv3(self.pool(two))
        four = self.conv4(three)
        return [one, two, three, four, self.conv5(four)]

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, width), the output of the second linear layer."""
        last = self.pool(self.feature_maps(images)[-1])
        return self.fc7(self.fc6(F.adaptive_avg_pool2d(last, self.side).flatten(1)))


def _side_after_pools(image_size: int) -> int:
    side = (image_size + 2 * 2 - 11) // 4 + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    return side


def build(options: Options, image_size: int, in_channels: int = 3) -> AlexNet:
    """The encoder that the options describe, freshly initialised."""
    return AlexNet(options.share, image_size, in_channels)
