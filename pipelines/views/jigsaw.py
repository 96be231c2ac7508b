"""A jigsaw view: a grid of cells, a random patch of each, in random order (PIRL, Misra and van der Maaten 2020)."""

from typing import NamedTuple

import torch
from torch import Tensor

from pipelines.spec.views import Jigsaw


class JigsawDraw(NamedTuple):
    """What to do with M images, on the host: order and offsets are those of the patches as they come out.

    order    (M, grid^2) the cell each patch is from, counted row by row
    offset   (M, grid^2, 2) top and left of the patch inside its cell, in pixels
    """

    order: Tensor
    offset: Tensor


def draw_jigsaw(spec: Jigsaw, num: int, generator: torch.Generator) -> JigsawDraw:
    """Draws for ``num`` images: every order of the cells and every place inside a cell is equally likely."""
    order = torch.rand((num, spec.grid**2), generator=generator).argsort(1)
    offset = torch.randint(spec.cell - spec.patch + 1, (num, spec.grid**2, 2), generator=generator)
    return JigsawDraw(order, offset)


def cut_patches(planes: Tensor, draw: JigsawDraw, spec: Jigsaw) -> Tensor:
    """planes (C, M, grid cell, grid cell) -> patches (C, M, grid^2, patch, patch) in the drawn order."""
    device = planes.device
    corner = torch.stack((draw.order // spec.grid, draw.order % spec.grid), 2) * spec.cell + draw.offset
    places = (corner[..., None] + torch.arange(spec.patch)).to(device, non_blocking=True)
    rows, columns = places.unbind(2)
    image = torch.arange(planes.shape[1], device=device).view(-1, 1, 1, 1)
    return planes[:, image, rows[..., :, None], columns[..., None, :]]
