"""Colour jitter: brightness, contrast, saturation and hue by random amounts in random order, an order of its own an image.

Agrees with torchvision's ``ColorJitter`` on float images at fixed factors. The one difference: grey is PIL's
0.299 r + 0.587 g + 0.114 b, whose weights sum to one (torchvision rounds the first to 0.2989), so that a grey image is a
fixed point of saturation, hue and grayscale and can be kept as one channel.

Images of other numbers of channels have brightness and contrast alone: all channels times one factor, and towards the mean
of all their values. Planning refuses the others there.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from pipelines.views.draws import happens, rows_of, uniform
from pipelines.views.hue import shift_hue

BRIGHTNESS, CONTRAST, SATURATION = range(3)


class JitterDraw(NamedTuple):
    """What to do with M images, on the host.

    factors     (M, 3) of brightness, contrast and saturation; 1 changes nothing
    turns       (M,) shift of the hue in full circles; 0 changes nothing
    order       (M, 3) the order of these three
    hue_after   (M,) how many of the three come before the hue, 0 to 3
    """

    factors: Tensor
    turns: Tensor
    order: Tensor
    hue_after: Tensor


def draw_jitter(
    strength: tuple[float, float, float, float], probability: float, num: int, generator: torch.Generator
) -> JitterDraw:
    """Draws for ``num`` images. strength: half-widths of brightness, contrast, saturation (around 1) and hue (around 0)."""
    skipped = ~happens(probability, num, generator)
    factors = torch.stack([uniform(max(0, 1 - half), 1 + half, (num,), generator) for half in strength[:3]], 1)
    turns = uniform(-strength[3], strength[3], (num,), generator)
    order = torch.rand((num, 3), generator=generator).argsort(1)
    hue_after = torch.randint(4, (num,), generator=generator)
    return JitterDraw(factors.masked_fill_(skipped[:, None], 1), turns.masked_fill_(skipped, 0), order, hue_after)


def luma(planes: Tensor) -> Tensor:
    """Grey of an RGB image. planes (3, M, P) -> (M, P); of other numbers of channels their mean."""
    if len(planes) != 3:
        return planes.mean(0) if len(planes) > 1 else planes[0]
    return planes[0].mul(0.299).add_(planes[1], alpha=0.587).add_(planes[2], alpha=0.114)


def jitter(planes: Tensor, draw: JitterDraw) -> None:
    """Jitter planes (C, M, h, w) in [0, 1] in place; hue and saturation where C is 3."""
    flat = planes.view(*planes.shape[:2], -1)
    order, colourless = draw.order, len(planes) != 3
    if bool((draw.factors == 1).all()):
        order = order[:, :0]
    elif colourless:  # two steps are left
        order = order[order != SATURATION].view(-1, 2)
    for step in range(order.shape[1]):
        if not colourless:
            hue_step(flat, draw, draw.hue_after == step)
        linear_step(flat, order[:, step], draw.factors.gather(1, order[:, step, None]).squeeze(1))
    if not colourless:
        hue_step(flat, draw, draw.hue_after >= order.shape[1])


def hue_step(planes: Tensor, draw: JitterDraw, now: Tensor) -> None:
    """Shift the hue, in place, of those images of (3, M, P) whose turn it is; now (M,) bool on the host."""
    now = now & (draw.turns != 0)
    if not bool(now.any()):
        return
    rows = rows_of(now, planes.device)
    turns = draw.turns[now].to(planes.device, non_blocking=True)
    planes.index_copy_(1, rows, shift_hue(planes.index_select(1, rows), turns))


def linear_step(planes: Tensor, operation: Tensor, factor: Tensor) -> None:
    """One of brightness, contrast and saturation an image, in place, then the clamp to [0, 1].

    planes (C, M, P); operation (M,) and factor (M,) on the host. All three are
    factor * image + (1 - factor) * (0, the mean grey, or the pixel's grey).
    """
    factor, operation = (part.to(planes.device, non_blocking=True)[:, None] for part in (factor, operation))
    rest = 1 - factor
    grey = luma(planes)
    shift = grey.mean(1, keepdim=True).mul_(rest).mul_(operation == CONTRAST)
    if len(planes) == 3:
        shift = grey.mul_(rest * (operation == SATURATION)).add_(shift)
    planes.mul_(factor).add_(shift).clamp_(0, 1)
