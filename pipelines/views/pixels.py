"""What happens to the values of a view once it is cut: jitter, grayscale, blur, solarise, normalisation."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pipelines.spec.views import Augmentation
from pipelines.views.blur import FAINTEST, blur, reach, scaled_sigma
from pipelines.views.draws import happens, rows_of, uniform
from pipelines.views.jitter import JitterDraw, draw_jitter, jitter, luma


class PixelDraw(NamedTuple):
    """What is done to M views, on the host; grey, blurred, solarized: (M,) bool, sigma: (M,) in pixels of the view."""

    jitter: JitterDraw
    grey: Tensor
    blurred: Tensor
    sigma: Tensor
    solarized: Tensor


def draw_pixels(kind: Augmentation, num: int, size: int, host: torch.Generator) -> PixelDraw:
    """Draws for ``num`` views of ``size`` pixels a side."""
    sigma = uniform(*scaled_sigma(kind.blur_sigma, size), (num,), host)
    return PixelDraw(
        jitter=draw_jitter(kind.jitter, kind.jitter_prob, num, host),
        grey=happens(kind.grayscale, num, host),
        blurred=happens(kind.blur, num, host) & (sigma >= FAINTEST),
        sigma=sigma,
        solarized=happens(kind.solarize, num, host),
    )


def change(planes: Tensor, draw: PixelDraw, kind: Augmentation) -> None:
    """Jitter, grayscale, blur and solarise planes (C, M, h, w) in [0, 1], in place and in the order ``kind`` asks for."""
    grey = rows_of(draw.grey, planes.device)
    if kind.grayscale_first:
        make_grey(planes, grey)
    jitter(planes, draw.jitter)
    if not kind.grayscale_first:
        make_grey(planes, grey)
    side = planes.shape[3]
    taps = reach(scaled_sigma(kind.blur_sigma, side)[1], side)
    sigma = draw.sigma[draw.blurred].to(planes.device, non_blocking=True)
    blur(planes, rows_of(draw.blurred, planes.device), sigma, taps)
    solarize(planes, rows_of(draw.solarized, planes.device))


def make_grey(planes: Tensor, rows: Tensor) -> None:
    """Give images ``rows`` (K,) of planes (3, M, h, w) three equal channels, in place; one channel is grey already.

    Of other numbers of channels planning has refused it.
    """
    if len(planes) == 3 and len(rows):
        chosen = planes.index_select(1, rows)
        planes.index_copy_(1, rows, luma(chosen).expand_as(chosen))


def solarize(planes: Tensor, rows: Tensor) -> None:
    """Invert all values of at least one half in images ``rows`` (K,) of planes (C, M, h, w), in place."""
    if len(rows):
        chosen = planes.index_select(1, rows)
        planes.index_copy_(1, rows, chosen.where(chosen < 0.5, 1 - chosen))


def normalise(planes: Tensor, mean: Sequence[float], std: Sequence[float], into: Tensor) -> None:
    """Write (planes - mean) / std, planes (C or 1, ...), to ``into`` (..., C): channels last, as convolutions like it."""
    for channel in range(into.shape[-1]):
        plane = planes[min(channel, len(planes) - 1)]
        torch.div(plane - mean[channel], std[channel], out=into[..., channel])
