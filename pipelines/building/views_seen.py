"""The augmented views that a method really saw: of the first images of its first step, by the same draws."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipelines.building.sheets import in_colours, save_sheet, sized, thumbnails
from pipelines.contact_sheet import Sheet
from pipelines.randomness import generator
from pipelines.sources.reader import ShardSet
from pipelines.spec.views import Colours, Views
from pipelines.training.loop import Trainer
from pipelines.views.spaces import HALF_RANGE, MIDDLE, to_rgb

NAME = "views"
IMAGES, CELL, MOST_VIEWS = 6, 64, 10


def write_views(trainer: Trainer, recipe: Views, shards: ShardSet, out: Path) -> dict[str, str]:
    """Write views.jpg and views.json to ``out``: a row an image, the whole image first; artifact names and files.

    trainer: one that trains on all of ``shards.pretraining``, in this process the first of all.
    """
    batch = next(iter(trainer.data.epoch(0)))
    views = trainer.make_views(batch, generator(trainer.seed, "views", 0, 0, device=trainer.device))
    kinds = colours(recipe)[: min(len(views), MOST_VIEWS)]
    rows = shards.pretraining[batch.index[:IMAGES].cpu().numpy()]
    mean, std = shards.index.mean, shards.index.std
    shown = [
        sized(as_image(view[:IMAGES], colour, mean, std), CELL).cpu()
        for view, colour in zip(views, kinds, strict=False)
    ]
    cells = torch.stack([thumbnails(shards, "train", rows, CELL), *shown], dim=1)
    titles = ("image", *(f"view {number}" for number in range(1, len(kinds) + 1)))
    told = ("image", *(f"{title}, {size(view)}" for title, view in zip(titles[1:], views)))
    ids = shards.ids("train")
    names = [ids[row] for row in rows.tolist()]
    more = f" (the first {len(kinds)} of them)" if len(kinds) < len(views) else ""
    sheet = Sheet(
        alt=f"{len(rows)} training images, a row each, and beside it its {len(views)} views{more} in the first step",
        cell=CELL,
        columns=titles,
        tips=tuple(tuple(f"{name}: {words}" for words in told) for name in names),
    )
    return save_sheet(out, NAME, sheet, list(cells))


def colours(recipe: Views) -> list[Colours]:
    """The colour space of every view of a recipe, in order; a jigsaw view comes last."""
    found: list[Colours] = [kind.colour for kind in recipe.augmentations for _ in range(kind.count)]
    return [*found, "rgb"] if recipe.jigsaw is not None else found


def size(view: Tensor) -> str:
    """Of a view (n, 3, h, w), or of its pieces (n, p, 3, h, w), in words."""
    return f"{view.shape[1]} pieces of {view.shape[-1]} px" if view.ndim == 5 else f"{view.shape[-1]} px"


def as_image(view: Tensor, colour: Colours, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(n, 3, h, w) RGB in [0, 1], as far as it lies there, of a normalised view (n, C, h, w), or of its pieces (n, p, C, h, w).

    Pieces are put together in a square, in the order in which the method saw them.
    """
    if view.ndim == 5:
        grid = int(np.sqrt(view.shape[1]))
        view = torch.cat([torch.cat(list(line.unbind(1)), dim=3) for line in view.chunk(grid, dim=1)], dim=2)
    planes = view.float().transpose(0, 1)
    match colour:
        case "rgb":
            planes = _unnormalised(planes, mean, std)
        case "unit":
            pass
        case _:
            planes = to_rgb(_unnormalised(planes, MIDDLE[colour], HALF_RANGE[colour]), colour)
    return in_colours(planes.transpose(0, 1))


def _unnormalised(planes: Tensor, middle: tuple[float, ...], spread: tuple[float, ...]) -> Tensor:
    """Planes (C, ...) times spread plus middle: one number, or one a plane."""
    shift, scale = (planes.new_tensor(each).view(-1, *[1] * (planes.dim() - 1)) for each in (middle, spread))
    return planes * scale + shift
