"""Colour spaces whose channels are split into views (CMC, Tian et al. 2019, arXiv:1906.05849).

Each is normalised by the middle and half of its own range, as CMC's and PyContrast's training scripts do.
"""

from typing import Literal

import torch
from torch import Tensor

from pipelines.constants import constant

Space = Literal["lab", "ycbcr", "ydbdr"]

MIDDLE: dict[Space, tuple[float, float, float]] = {
    "lab": (50.0, 6.025, -6.6895),
    "ycbcr": (116.151, 121.08, 132.342),
    "ydbdr": (0.457, -0.082, -0.052),
}
HALF_RANGE: dict[Space, tuple[float, float, float]] = {
    "lab": (50.0, 92.208, 101.1675),
    "ycbcr": (109.5, 111.855, 111.964),
    "ydbdr": (0.5, 1.331, 1.333),
}

TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
D65 = (0.95047, 1.0, 1.08883)
TO_YCBCR = ((65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214))
YCBCR_OFFSET = (16.0, 128.0, 128.0)
TO_YDBDR = ((0.299, 0.587, 0.114), (-0.45, -0.883, 1.333), (-1.333, 1.116, 0.217))


def convert(planes: Tensor, space: Space) -> Tensor:
    """RGB planes (3 or 1, ...) in [0, 1] -> the planes (3, ...) of ``space``, not yet normalised."""
    planes = planes.expand(3, *planes.shape[1:])
    match space:
        case "lab":
            return lab(planes)
        case "ycbcr":
            return mixed(planes, TO_YCBCR) + a_channel(YCBCR_OFFSET, planes)
        case "ydbdr":
            return mixed(planes, TO_YDBDR)


def mixed(planes: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """matrix (3, 3) times the channels of planes (3, ...)."""
    return (constant(matrix, planes.device, planes.dtype) @ planes.flatten(1)).view_as(planes)


def a_channel(values: tuple[float, float, float], planes: Tensor) -> Tensor:
    """A value for each channel of planes (3, ...), shaped to be added to them."""
    return constant(values, planes.device, planes.dtype).view(3, *[1] * (planes.dim() - 1))


def lab(planes: Tensor) -> Tensor:
    """sRGB (3, ...) in [0, 1] -> CIE L*a*b* under D65: L in [0, 100], a in [-86.2, 98.3], b in [-107.9, 94.5]."""
    linear = torch.where(planes <= 0.04045, planes / 12.92, ((planes + 0.055) / 1.055) ** 2.4)
    relative = mixed(linear, TO_XYZ) / a_channel(D65, planes)
    x, y, z = torch.where(relative > 0.008856, relative.clamp(min=0.008856) ** (1 / 3), 7.787 * relative + 16 / 116)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)))


def to_rgb(planes: Tensor, space: Space) -> Tensor:
    """The way back, to be looked at: planes (3, ...) of ``space``, not normalised -> RGB, not cut to [0, 1]."""
    match space:
        case "lab":
            return rgb_of_lab(planes)
        case "ycbcr":
            moved = planes - a_channel(YCBCR_OFFSET, planes)
            return mixed(moved, inverse(TO_YCBCR))
        case "ydbdr":
            return mixed(planes, inverse(TO_YDBDR))


def rgb_of_lab(planes: Tensor) -> Tensor:
    """CIE L*a*b* (3, ...) under D65 -> sRGB."""
    lightness, a, b = planes
    y = (lightness + 16) / 116
    cube_roots = torch.stack((y + a / 500, y, y - b / 200))
    relative = torch.where(cube_roots > 0.2068966, cube_roots**3, (cube_roots - 16 / 116) / 7.787)
    linear = mixed(relative * a_channel(D65, planes), inverse(TO_XYZ)).clamp(min=0)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def inverse(matrix: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    """Of a (3, 3) matrix."""
    return tuple(map(tuple, torch.linalg.inv(torch.tensor(matrix, dtype=torch.float64)).tolist()))
