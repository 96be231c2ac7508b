"""Random resized crops: where they lie, and how streaming workers cut them.

Boxes follow torchvision's ``RandomResizedCrop`` (Szegedy et al. 2014, arXiv:1409.4842, sec. 6): area uniform, ratio uniform
in its logarithm, ten tries, then the largest centred box of an allowed ratio.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.spec.views import Augmentation, Views
from pipelines.views.resample import Interpolation

TRIES = 10


def sample_boxes(
    num: int,
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """``num`` boxes inside height x width: (num, 4) int64 on the host, each top, left, height, width.

    scale: area as a share of the image; ratio: width over height. All tries are drawn at once and the first that fits is
    taken, which has the same distribution as stopping there.
    """
    area, shape, down, right = torch.rand((4, num, TRIES), generator=generator, dtype=torch.float64)
    area = (area * (scale[1] - scale[0]) + scale[0]) * (height * width)
    shape = torch.exp(shape * math.log(ratio[1] / ratio[0]) + math.log(ratio[0]))
    tall, wide = (area / shape).sqrt_().round_(), (area * shape).sqrt_().round_()
    fits = (tall > 0) & (tall <= height) & (wide > 0) & (wide <= width)
    first = fits.to(torch.uint8).argmax(1, keepdim=True)
    top, left = (down * (height - tall + 1)).floor_(), (right * (width - wide + 1)).floor_()
    boxes = torch.stack((top, left, tall, wide), 2).gather(1, first[..., None].expand(-1, -1, 4)).squeeze(1).long()
    return torch.where(fits.any(1, keepdim=True), boxes, torch.tensor(fallback_box(height, width, ratio)))


def fallback_box(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    """The largest centred box whose width over height lies in ``ratio``: top, left, height, width."""
    tall, wide = height, width
    if width / height < ratio[0]:
        tall = min(height, round(width / ratio[0]))
    elif width / height > ratio[1]:
        wide = min(width, round(height * ratio[1]))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def cut(image: Tensor, box: tuple[int, int, int, int], size: int, interpolation: Interpolation = "bilinear") -> Tensor:
    """One box of an image (C, H, W) uint8, resized with antialiasing to (C, size, size) uint8."""
    top, left, height, width = box
    part = image[None, :, top : top + height, left : left + width]
    if (height, width) != (size, size):
        # GPUs have no antialiased resize of bytes.
        resize = resized if part.device.type == "cpu" else resized_in_float32
        part = resize(part, size, interpolation)
    return part[0].contiguous()


def resized(part: Tensor, size: int, interpolation: Interpolation) -> Tensor:
    """(1, C, h, w) uint8 -> (1, C, size, size) uint8."""
    return F.interpolate(part, size=(size, size), mode=interpolation, antialias=True)


def resized_in_float32(part: Tensor, size: int, interpolation: Interpolation) -> Tensor:
    """The same but for rounding: on a CPU bytes are weighted in fixed point."""
    return resized(part.float(), size, interpolation).round_().clamp_(0, 255).to(torch.uint8)


def cutter(recipe: Views, image_size: int) -> Callable[[Tensor, torch.Generator], list[Tensor]]:
    """A function that cuts every crop of a recipe from one decoded image, for the workers of the streaming path.

    It takes an image (C, H, W) uint8 of any size and a CPU generator, and gives one (C, h, w) uint8 crop a view, then the
    jigsaw's (C, grid cell, grid cell) where there is one. Flips, colour and everything after are left to ``ViewMaker``.
    """

    def cut_all(image: Tensor, generator: torch.Generator) -> list[Tensor]:
        crops: list[Tensor] = []
        for kind in recipe.augmentations:
            crops += cut_kind(image, kind, kind.size or image_size, generator)
        if recipe.jigsaw is not None:
            whole = Augmentation(scale=recipe.jigsaw.scale)
            crops += cut_kind(image, whole, recipe.jigsaw.grid * recipe.jigsaw.cell, generator)
        return crops

    return cut_all


def cut_kind(image: Tensor, kind: Augmentation, size: int, generator: torch.Generator) -> list[Tensor]:
    """``kind.count`` crops of one image: random boxes, or the centre square moved by a random translation."""
    height, width = image.shape[1:]
    if not kind.translate:
        boxes = sample_boxes(kind.count, height, width, kind.scale, kind.ratio, generator).tolist()
        return [cut(image, tuple(box), size, kind.interpolation) for box in boxes]
    whole = cut(image, fallback_box(height, width, (1, 1)), size, kind.interpolation)
    reach = kind.translate
    padded = F.pad(whole[None].float(), (reach,) * 4, mode="reflect")[0].to(torch.uint8)
    moved = torch.rand((kind.count, 1), generator=generator) < kind.translate_prob
    moves = torch.where(moved, torch.randint(2 * reach + 1, (kind.count, 2), generator=generator), reach).tolist()
    return [padded[:, down : down + size, right : right + size].contiguous() for down, right in moves]
