"""Gaussian blur, each image with its own width: two products with banded matrices, or two convolutions.

Weights and reflected borders are those of torchvision's ``gaussian_blur``. The kernel reaches four times the largest standard
deviation to each side: SimCLR's and BYOL's 23 taps at 224 pixels do the same to 5.5; PIL's blur (MoCo v2) has no fixed reach.
"""

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.views.resample import MATRICES_BELOW, resample

REFERENCE_SIDE = 224
"""Papers state the standard deviation in pixels of an image of this side."""
FAINTEST = 1 / math.sqrt(2 * math.log(4 * 510))
"""Below this standard deviation, 0.256 pixels, the neighbours' weights sum to less than 1/510: no value moves by half an
8-bit step, so a PIL pipeline rounds the blur away, and it is left out. At 32 pixels that is 9 in 10 of MoCo v2's blurs."""


def scaled_sigma(sigma: tuple[float, float], side: int) -> tuple[float, float]:
    """Standard deviations in pixels of a ``side``-pixel view, which blur as much as ``sigma`` does a 224-pixel one."""
    return sigma[0] * side / REFERENCE_SIDE, sigma[1] * side / REFERENCE_SIDE


def reach(largest: float, side: int) -> int:
    """Taps to each side of the centre, for a largest standard deviation in pixels."""
    return min(max(1, round(4 * largest)), side - 1)


def blur(planes: Tensor, rows: Tensor, sigma: Tensor, taps: int) -> None:
    """Blur images ``rows`` (K,) of planes (C, M, h, w) in place. sigma (K,) in pixels, on the planes' device."""
    if not len(rows):
        return
    chosen, (height, width) = planes.index_select(1, rows), planes.shape[2:]
    if planes.device.type == "cpu" and height >= MATRICES_BELOW:
        planes.index_copy_(1, rows, convolved(chosen, kernels(sigma, taps)))
        return
    down = blur_matrices(sigma, taps, height)
    across = down if height == width else blur_matrices(sigma, taps, width)
    planes.index_copy_(1, rows, resample(chosen, down, across))


def kernels(sigma: Tensor, taps: int) -> Tensor:
    """(K, 2 taps + 1): Gaussians sampled at whole pixels, each summing to 1; a standard deviation of zero is one tap."""
    offsets = torch.arange(-taps, taps + 1, dtype=torch.float32, device=sigma.device)
    weights = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]).square_())
    return weights / weights.sum(1, keepdim=True)


def convolved(planes: Tensor, kernel: Tensor) -> Tensor:
    """planes (C, K, h, w) blurred both ways, image k by kernel[k], borders reflected: 2 to 5 times faster from 64 pixels on."""
    taps = kernel.shape[1] // 2
    padded = F.pad(planes, (taps, taps, taps, taps), mode="reflect")
    across = F.conv2d(padded, kernel[:, None, None, :], groups=len(kernel))
    return F.conv2d(across, kernel[:, None, :, None], groups=len(kernel))


def blur_matrices(sigma: Tensor, taps: int, side: int) -> Tensor:
    """(K, side, side): row i holds a kernel around i, reflected at the borders; no standard deviation gives the identity."""
    return (kernels(sigma, taps) @ spread(taps, side, sigma.device)).view(-1, side, side)


@functools.lru_cache(maxsize=8)  # a recipe has a few sizes of views; each is made and sent to the device once
def spread(taps: int, side: int, device: torch.device) -> Tensor:
    """(2 taps + 1, side * side), not to be written to: 1 where a tap of the kernel around row i falls on column j."""
    place = (torch.arange(side)[:, None] + torch.arange(-taps, taps + 1)).abs_()
    place = side - 1 - (side - 1 - place).abs_()
    return F.one_hot(place, side).float().transpose(0, 1).flatten(1).to(device)
