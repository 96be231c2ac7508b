"""Networks of 1x1 convolutions that bring local and global features to one size (DIM, arXiv:1808.06670; AMDIM, 1906.00910)."""

import torch
from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (N, C, H, W), place by place."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Pointwise(nn.Module):
    """1x1 convolution, batch norm, ReLU, 1x1 convolution, beside a linear shortcut; ``last`` normalises their sum.

    inside, hidden, outside: channels. The shortcut starts as a noisy identity (both released codes).
    """

    def __init__(self, inside: int, hidden: int, outside: int, last: nn.Module, *, bias: bool = True) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(inside, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, outside, 1, bias=bias),
        )
        self.shortcut = nn.Conv2d(inside, outside, 1, bias=bias)
        noisy_identity_(self.shortcut.weight)
        self.last = last

    def forward(self, features: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, outside, H, W)."""
        return self.last(self.branch(features) + self.shortcut(features))


@torch.no_grad()
def noisy_identity_(weight: Tensor) -> None:
    """Fill (outside, inside, ...) with uniform noise of +-0.01 and ones on the diagonal."""
    nn.init.uniform_(weight, -0.01, 0.01)
    weight.view(weight.shape[0], -1).fill_diagonal_(1.0)
