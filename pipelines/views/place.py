"""Where a view lies in its image: box, flip, translation; and the float planes that come of it."""

from typing import NamedTuple

import torch
from torch import Tensor

from pipelines.spec.views import Augmentation
from pipelines.views.crops import fallback_box, sample_boxes
from pipelines.views.draws import rows_of
from pipelines.views.resample import MATRICES_BELOW, Interpolation, crop_matrices, resample, resize_each, translation


class Place(NamedTuple):
    """M views, on the host.

    boxes   (M, 4) int64: top, left, height, width in the image
    flips   (M,) bool
    shift   (M, 2) int64: down and right, in pixels of the view
    """

    boxes: Tensor
    flips: Tensor
    shift: Tensor


def draw_places(kind: Augmentation, flips: Tensor, height: int, width: int, size: int, host: torch.Generator) -> Place:
    """Draws for len(flips) views of ``size`` pixels a side from images of height x width."""
    num = len(flips)
    if not kind.translate:
        boxes = sample_boxes(num, height, width, kind.scale, kind.ratio, host)
        return Place(boxes, flips, torch.zeros((num, 2), dtype=torch.long))
    assert kind.translate < size
    shift = torch.randint(-kind.translate, kind.translate + 1, (num, 2), generator=host)
    shift *= torch.rand((num, 1), generator=host) < kind.translate_prob
    return Place(torch.tensor(fallback_box(height, width, (1, 1))).expand(num, 4), flips, shift)


def whole_image(kind: Augmentation, height: int, width: int, size: int) -> bool:
    """Whether the crop can only be the whole image at its own size."""
    return kind.scale == kind.ratio == (1, 1) and not kind.translate and height == width == size


def to_planes(images: Tensor) -> Tensor:
    """(M, C, H, W) uint8 -> (C, M, H, W) float32 in [0, 1]: channel by channel, so that a channel is one block of memory."""
    return images.transpose(0, 1).to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def crop(planes: Tensor, place: Place, size: int, kind: Interpolation = "bilinear") -> Tensor:
    """planes (C, M, H, W) -> (C, M, size, size): boxes cut, resized, flipped, then translated; values stay in [0, 1]."""
    moved = bool((place.shift != 0).any())
    if size >= MATRICES_BELOW and planes.device.type == "cpu" and not moved:
        return _in_range(flip(resize_each(planes, place.boxes, size, kind), place.flips), kind)
    source = planes.shape[2], planes.shape[3]
    rows, columns = crop_matrices(place.boxes, place.flips, source, size, planes.device, kind)
    if moved:
        rows = translation(place.shift[:, 0], size, planes.device) @ rows
        columns = translation(place.shift[:, 1], size, planes.device) @ columns
    return _in_range(resample(planes, rows, columns), kind)


def _in_range(planes: Tensor, kind: Interpolation) -> Tensor:
    """A cubic filter overshoots at edges; 8-bit pipelines cut that off."""
    return planes.clamp_(0, 1) if kind == "bicubic" else planes


def flip(planes: Tensor, flips: Tensor) -> Tensor:
    """Mirror left and right, in place, those of (C, M, h, w) that ``flips`` (M,), on the host, names."""
    rows = rows_of(flips, planes.device)
    return planes.index_copy_(1, rows, planes.index_select(1, rows).flip(3)) if len(rows) else planes
