"""Shifting the hue of a batch, each image by its own amount."""

import torch
from torch import Tensor

TINY = torch.finfo(torch.float32).tiny


def shift_hue(planes: Tensor, turns: Tensor) -> Tensor:
    """Add ``turns`` (M,), in full circles within [-1/2, 1/2], to the HSV hue. planes (3, M, P) in [0, 1], not changed.

    The same map as going to HSV, shifting and coming back (torchvision's ``adjust_hue``, Smith 1978), in fewer passes: a
    shift of the hue leaves the largest and the smallest channel's values alone, and a channel at hue distance d, in sixths
    of a turn, from its own primary colour has the value smallest + chroma * clamp(2 - d, 0, 1).
    """
    red, green, blue = planes
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = torch.maximum(torch.maximum(red, green), blue).sub_(low)
    # The distance from red is 1 + (g + b - r - low) / chroma in all six sectors; its sign is that of g - b.
    hue = (green + blue).sub_(red).sub_(low).div_(chroma.clamp_(min=TINY)).add_(1)
    hue = torch.copysign(hue, green - blue).add_(turns.mul(6)[:, None])
    hue.sub_(hue.div(6).round_(), alpha=6)
    # With hue in [-3, 3], clamp(2 - d, 0, 1) is 2 - v for red and v - 1 for green and blue, where v = clamp(|hue + c|, 1, 2).
    base = low - chroma
    result = torch.empty_like(planes)
    torch.sub(base, hue.abs().clamp_(1, 2).sub_(3).mul_(chroma), out=result[0])
    for channel, offset in ((1, 1), (2, -1)):
        torch.add(hue, offset, out=result[channel]).abs_().clamp_(1, 2).mul_(chroma).add_(base)
    return result
