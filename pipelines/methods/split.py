"""An image as several views of its channels (CMC), and the encoder that has a branch for each."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.constants import constant
from pipelines.encoders.base import Encoder
from pipelines.methods.base import full_precision

Split = Literal["lab", "ycbcr", "ydbdr", "edges", "none"]
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def split_image(images: Tensor, split: Split) -> list[Tensor]:
    """(N, 3, H, W) normalised -> the views of a split: (N, 1, H, W) and (N, 2, H, W), or the image itself.

    lab, ycbcr, ydbdr: the first channel against the other two. edges: the mean of the channels against its
    ``unsigned_gradient``.
    """
    match split:
        case "none":
            return [images]
        case "edges":
            grey = images.mean(dim=1, keepdim=True)
            return [grey, unsigned_gradient(grey)]
        case _:
            return [images[:, :1], images[:, 1:]]


def unsigned_gradient(grey: Tensor) -> Tensor:
    """(N, 1, H, W) -> (N, 2, H, W): magnitude m and orientation t of the gradient as m cos 2t and m sin 2t.

    The double angle makes light on dark equal to dark on light, so that the grey values cannot be had back from it.
    Derivatives by Sobel's kernels, an eighth of their sum, edge pixels repeated outwards.
    """
    across = constant(SOBEL, grey.device, grey.dtype) / 8
    with full_precision(grey.device):
        kernels = torch.stack((across, across.T)).unsqueeze(1)
        dx, dy = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernels).unbind(dim=1)
        magnitude = torch.hypot(dx, dy).clamp(min=torch.finfo(grey.dtype).tiny)
        return torch.stack(((dx - dy) * (dx + dy) / magnitude, 2 * dx * dy / magnitude), dim=1)


class SplitEncoder(Encoder):
    """One branch a view of the image; features side by side.

    Takes whole images (N, 3, H, W) in the split's colours. Maps of the same stage are put side by side too, so the
    branches have to be of one kind.
    """

    def __init__(self, split: Split, branches: Sequence[Encoder]) -> None:
        super().__init__()
        self.split: Split = split
        self.branches = nn.ModuleList(branches)
        self.width = sum(branch.width for branch in branches)
        self.map_widths = tuple(sum(widths) for widths in zip(*(branch.map_widths for branch in branches), strict=True))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, width)."""
        return torch.cat(self.each(images), dim=1)

    def each(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> (N, branch width) for every branch."""
        return [branch(view) for branch, view in zip(self.branches, split_image(images, self.split), strict=True)]

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) -> one (N, map_widths[i], H_i, W_i) for every stage."""
        views = split_image(images, self.split)
        branches = cast(Sequence[Encoder], self.branches)
        every = [branch.feature_maps(view) for branch, view in zip(branches, views, strict=True)]
        return [torch.cat(maps, dim=1) for maps in zip(*every, strict=True)]
