"""Small pictures of a data set's images, and sheets of them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipelines.building.images import Wanted, in_order, loader, plain_views
from pipelines.contact_sheet import ABOUT, GAP, Sheet
from pipelines.files import replacing
from pipelines.sources.reader import ShardSet

GROUND = (244, 244, 244)
"""Between the cells, and where a row has none; light, so that titles can be written on it."""
FRAME = (213, 94, 0)
"""Around a marked cell."""
FRAME_WIDTH = 4
"""Pixels, the gap's included."""
QUALITY = 75
HOST = torch.device("cpu")


def thumbnails(shards: ShardSet, split: str, rows: NDArray[np.int64], side: int) -> Tensor:
    """(n, 3, side, side) uint8 on the CPU: the images at these positions of a split, in this order, repeats allowed."""
    chosen, back = np.unique(rows, return_inverse=True)
    wanted = replace(Wanted.of(shards), mean=(0.0,), std=(1.0,))  # as they are
    data = loader(shards, split, in_order(), HOST, subset=chosen, workers=0)
    found = torch.cat([sized(in_colours(images), side) for images in plain_views(data, wanted, HOST)])
    return found[torch.from_numpy(back)]


def in_colours(images: Tensor) -> Tensor:
    """(n, 3, h, w) of images (n, C, h, w): of more than three channels the first three, of fewer the first, in grey."""
    return images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)


def sized(images: Tensor, side: int) -> Tensor:
    """(n, 3, side, side) uint8 of images (n, 3, h, w) in [0, 1]: enlarged pixel by pixel, or reduced smoothly."""
    images = images.float().clamp(0, 1)
    if max(images.shape[2:]) <= side:
        images = F.interpolate(images, (side, side), mode="nearest-exact")
    else:
        images = F.interpolate(images, (side, side), mode="bilinear", antialias=True).clamp(0, 1)
    return (images * 255).round().to(torch.uint8)


def save_sheet(
    out: Path, name: str, sheet: Sheet, cells: Sequence[Tensor], marked: Collection[tuple[int, int]] = ()
) -> dict[str, str]:
    """Write NAME.jpg and NAME.json to ``out``; artifact names and files.

    cells: of each row (n, 3, cell, cell) uint8, as many as it has tips. marked: (row, column) of cells with a frame.
    """
    width, height = sheet.size
    picture = np.full((height, width, 3), GROUND, dtype=np.uint8)
    for row, tiles in enumerate(cells):
        assert tiles.shape == (len(sheet.tips[row]), 3, sheet.cell, sheet.cell)
        for column, tile in enumerate(tiles.permute(0, 2, 3, 1).cpu().numpy()):
            left, top = sheet.place(row, column)
            picture[top : top + sheet.cell, left : left + sheet.cell] = tile
            if (row, column) in marked:
                box = picture[top - GAP : top + sheet.cell + GAP, left - GAP : left + sheet.cell + GAP]
                box[:FRAME_WIDTH] = box[-FRAME_WIDTH:] = FRAME
                box[:, :FRAME_WIDTH] = box[:, -FRAME_WIDTH:] = FRAME
    with replacing(out / f"{name}.jpg") as part:
        Image.fromarray(picture).save(part, format="jpeg", quality=QUALITY)
    sheet.save(out / f"{name}.json")
    return {name: f"{name}.jpg", f"{name}{ABOUT}": f"{name}.json"}
