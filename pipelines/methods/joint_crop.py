"""One random crop for several images of the same place: RGB and depth, say, stay aligned pixel by pixel."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

RATIO = (3 / 4, 4 / 3)
"""Width over height of a crop."""


def joint_crop(
    images: Sequence[Tensor], scale: tuple[float, float], flip: float, generator: torch.Generator
) -> list[Tensor]:
    """Every (N, C, H, W) cropped by the same N boxes, back to H x W, bilinear.

    scale: area of a box as a share of the image, uniform; ratio uniform in its logarithm,
    drawn closer to 1 where the box would not fit, so that (1, 1) is the whole image.
    flip: probability that all images of a sample are mirrored. The generator is on the images' device.
    """
    boxes = draw_boxes(len(images[0]), scale, flip, generator)
    return [crop(image, boxes.to(image.dtype)) for image in images]


def draw_boxes(num: int, scale: tuple[float, float], flip: float, generator: torch.Generator) -> Tensor:
    """(num, 2, 3) maps from places in a crop to places in its image, both in [-1, 1], for ``affine_grid``."""
    area, ratio, right, down, mirrored = torch.rand((5, num), generator=generator, device=generator.device)
    area = scale[0] + (scale[1] - scale[0]) * area
    ratio = torch.exp(math.log(RATIO[0]) + math.log(RATIO[1] / RATIO[0]) * ratio)
    ratio = ratio.clamp(area, 1 / area)  # neither side longer than the image's
    width, height = (area * ratio).sqrt(), (area / ratio).sqrt()
    boxes = torch.zeros((num, 2, 3), device=generator.device)
    boxes[:, 0, 0] = torch.where(mirrored < flip, -width, width)
    boxes[:, 1, 1] = height
    boxes[:, 0, 2] = (2 * right - 1) * (1 - width)
    boxes[:, 1, 2] = (2 * down - 1) * (1 - height)
    return boxes


def crop(images: Tensor, boxes: Tensor) -> Tensor:
    """(N, C, H, W) and (N, 2, 3) -> (N, C, H, W). Crops are never larger than the image, so nothing has to be averaged."""
    grid = F.affine_grid(boxes, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
