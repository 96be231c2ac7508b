"""Pictures of a trained method for the report: what it makes of a few held-out images, as PNG files."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipelines.building.images import Wanted, in_order, loader, plain_views
from pipelines.evaluation.features import evaluating
from pipelines.files import replacing
from pipelines.methods.base import Method
from pipelines.randomness import generator
from pipelines.sources.channels import picture as as_picture
from pipelines.sources.reader import ShardSet
from pipelines.spec.jobs import PretrainSpec

IMAGES = 8
"""Images shown, evenly spaced over the held-out slice."""
WIDTH = 512
"""Pixels that a narrower picture is enlarged to at least, by whole factors."""


def write_pictures(spec: PretrainSpec, method: Method, shards: ShardSet, out: Path) -> dict[str, str]:
    """Write a method's pictures to ``out``; artifact names and files. Nothing for a method without ``pictures``.

    ``pictures(images, generator)`` takes normalised images (N, C, H, W) and gives names with (C, h, w) in the same scale.
    """
    draw = getattr(method, "pictures", None)
    if draw is None:
        return {}
    device = next(method.parameters()).device
    rows = shards.holdout if len(shards.holdout) else shards.pretraining
    chosen = rows[np.linspace(0, len(rows) - 1, min(IMAGES, len(rows))).astype(np.int64)]
    data = loader(shards, "train", in_order(), device, subset=chosen, workers=0)
    images = torch.cat(list(plain_views(data, Wanted.of(shards, spec.views), device)))
    with evaluating(method):
        found: dict[str, Tensor] = draw(images, generator(spec.seed, "pictures", device=device))
    for name, picture in found.items():
        with replacing(out / f"{name}.png") as part:
            to_image(picture, shards.index.mean, shards.index.std).save(part, format="png")
    return {name: f"{name}.png" for name in found}


def to_image(picture: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Image.Image:
    """(C, h, w), normalised by mean and std (one number, or one a channel, in [0, 1]), as 8 bits, cut at the range's ends.

    As RGB; of more than three channels the first three, of fewer the first, in grey.
    """
    shift, scale = (torch.tensor(values, device=picture.device).view(-1, 1, 1) for values in (mean, std))
    values = ((picture.float() * scale + shift).clamp(0, 1) * 255).round().to(torch.uint8)
    factor = max(1, WIDTH // values.shape[2])
    values = values.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    return as_picture(values.permute(1, 2, 0).cpu().numpy())
