"""Crop, resize, flip and translate as two matrix products an image: rows @ image @ columns^T.

Each image has its own pair of interpolation matrices with the weights of antialiased resizing (a triangle or cubic filter
as wide as the shrinking asks for, normalised inside the crop). That is the geometry of torchvision's ``resized_crop`` with
``antialias=True``; one affine grid over the batch has no antialiasing, and was measured 2 to 5 times slower on a CPU at
32 pixels (benchmarks/views.py). A flip reverses the columns' weights and costs nothing. Matrices are mostly zeros, so from
about 64 pixels on a CPU is faster with torch's own resize, one image after the other.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Interpolation = Literal["bilinear", "bicubic"]

MATRICES_BELOW = 64
"""Side in pixels of a view from which on a CPU resizes image by image (measured: equal at 64, five times faster at 224)."""


def crop_matrices(
    boxes: Tensor,
    flips: Tensor,
    source: tuple[int, int],
    size: int,
    device: torch.device,
    kind: Interpolation = "bilinear",
) -> tuple[Tensor, Tensor]:
    """Matrices that cut each image's box, resize it to ``size`` x ``size`` and flip it.

    boxes (M, 4) int64 on the host: top, left, height, width; flips (M,) bool on the host; source: height and width.
    Gives rows (M, size, height) and columns (M, size, width), float32 on ``device``.
    """
    # Shrinking is known on the host; without it two taps a pixel do, in half the passes over the matrices.
    antialias = kind == "bicubic" or bool((boxes[:, 2:] > size).any())
    top, left, height, width = boxes.to(device, torch.float32, non_blocking=True).unbind(1)
    unflipped = torch.arange(size, dtype=torch.float32, device=device)[None]
    places = torch.where(flips.to(device, non_blocking=True)[:, None], size - 1 - unflipped, unflipped)
    if antialias:
        return filtered(unflipped, top, height, source[0], size, kind), filtered(
            places, left, width, source[1], size, kind
        )
    return two_taps(unflipped, top, height, source[0], size), two_taps(places, left, width, source[1], size)


def resize_each(planes: Tensor, boxes: Tensor, size: int, kind: Interpolation = "bilinear") -> Tensor:
    """The same crops without matrices: boxes (M, 4) of planes (C, M, H, W), one by one -> (C, M, size, size)."""
    result = planes.new_empty(*planes.shape[:2], size, size)
    for number, (top, left, height, width) in enumerate(boxes.tolist()):
        part = planes[None, :, number, top : top + height, left : left + width]
        result[:, number] = F.interpolate(part, size=(size, size), mode=kind, antialias=True)[0]
    return result


def two_taps(places: Tensor, start: Tensor, length: Tensor, source: int, size: int) -> Tensor:
    """Bilinear weights for enlarging. places (M or 1, size): output positions; start, length (M,): the box in pixels."""
    centre = (places + 0.5) * (length / size)[:, None] - 0.5
    centre = torch.minimum(centre.clamp_(min=0), length[:, None] - 1) + start[:, None]
    pixels = torch.arange(source, dtype=torch.float32, device=start.device)
    return torch.sub(pixels, centre[..., None]).abs_().neg_().add_(1).clamp_(min=0)


def filtered(places: Tensor, start: Tensor, length: Tensor, source: int, size: int, kind: Interpolation) -> Tensor:
    """Antialiased weights, (M, size, source): a filter stretched by length / size where that shrinks; rows sum to 1."""
    step = (length / size)[:, None]
    centre = (places + 0.5) * step + start[:, None] - 0.5
    pixels = torch.arange(source, dtype=torch.float32, device=start.device)
    distance = torch.sub(pixels, centre[..., None]).div_(step.clamp(min=1)[..., None]).abs_()
    weights = distance.neg_().add_(1).clamp_(min=0) if kind == "bilinear" else cubic(distance)
    inside = (pixels >= start[:, None]) & (pixels < (start + length)[:, None])
    weights.mul_(inside[:, None])
    return weights.div_(weights.sum(2, keepdim=True))


def cubic(distance: Tensor) -> Tensor:
    """Keys' cubic filter with a = -1/2 (PIL's and torch's antialiased one) at a distance of at least 0."""
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0))


def translation(shift: Tensor, side: int, device: torch.device) -> Tensor:
    """Matrices (M, side, side) that move an axis by ``shift`` (M,) pixels, the border reflected without its edge pixel.

    Positive shifts move the content towards higher positions; |shift| must be below ``side``.
    """
    source = (torch.arange(side) - shift[:, None]).abs_()
    source = side - 1 - (side - 1 - source).abs_()
    return F.one_hot(source.to(device, non_blocking=True), side).float()


def resample(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ image @ columns^T. planes (C, M, H, W), rows (M, h, H), columns (M, w, W) -> (C, M, h, w)."""
    result = planes.new_empty(*planes.shape[:2], rows.shape[1], columns.shape[1])
    across = columns.transpose(1, 2)
    for plane, into in zip(planes, result, strict=True):
        torch.bmm(torch.bmm(rows, plane), across, out=into)
    return result
