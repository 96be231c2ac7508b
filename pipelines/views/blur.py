"""Gaussian blur, each image with its own width, as two products with banded matrices.

Weights and reflected borders are those of torchvision's ``gaussian_blur``. The kernel reaches four times the largest standard
deviation to each side: SimCLR's and BYOL's 23 taps at 224 pixels do the same to 5.5; PIL's blur (MoCo v2) has no fixed reach.
"""

import math

import torch
from torch import Tensor

from pipelines.views.resample import resample

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
    height, width = planes.shape[2:]
    down = blur_matrices(sigma, taps, height)
    across = down if height == width else blur_matrices(sigma, taps, width)
    planes.index_copy_(1, rows, resample(planes.index_select(1, rows), down, across))


def blur_matrices(sigma: Tensor, taps: int, side: int) -> Tensor:
    """(K, side, side): row i holds a Gaussian around i, sampled at whole pixels, normalised, reflected at the borders.

    A standard deviation of zero gives the identity.
    """
    offsets = torch.arange(-taps, taps + 1, dtype=torch.float32, device=sigma.device)
    weights = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]).square_())
    weights = weights / weights.sum(1, keepdim=True)
    place = (torch.arange(side)[:, None] + torch.arange(-taps, taps + 1)).abs_()
    place = side - 1 - (side - 1 - place).abs_()
    spread = torch.nn.functional.one_hot(place, side).float().transpose(0, 1).flatten(1)
    return (weights @ spread.to(sigma.device, non_blocking=True)).view(-1, side, side)
