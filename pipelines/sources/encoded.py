"""Images on their way from a file to the crops of training: decoded by the worker, or left to the training process."""

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pipelines.sources.images import Decoding
from pipelines.sources.pixels import is_plain_jpeg, pixels


class Decode(Protocol):
    """What decodes JPEGs in the training process, see ``gpu_decoding``."""

    device: torch.device

    def __call__(self, stored: list[Tensor]) -> list[Tensor]:
        """What ``as_stored`` gave, one an image -> (3, H, W) uint8 on the device, or its bytes (n,) where that cannot."""


def as_stored(data: bytes, decoding: Decoding) -> Tensor:
    """The bytes (n,) of a plain JPEG, the pixels (C, H, W) of any other image; uint8. Raises Unreadable."""
    if is_plain_jpeg(data, decoding):
        return torch.from_numpy(np.frombuffer(data, np.uint8).copy())
    return planes(data, decoding)


Shapes = list[tuple[int, ...]]


def packed(images: Iterable[Tensor]) -> tuple[Tensor, Shapes]:
    """uint8 tensors of any shapes as one (n,), with their shapes: between processes a tensor takes a file handle each."""
    kept = list(images)
    return torch.cat([each.flatten() for each in kept]), [tuple(each.shape) for each in kept]


def unpacked(values: Tensor, shapes: Shapes) -> list[Tensor]:
    """The inverse; no copy."""
    parts = values.split([math.prod(shape) for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def planes(data: bytes, decoding: Decoding) -> Tensor:
    """(C, H, W) uint8, decoded on the CPU. Raises Unreadable."""
    return torch.from_numpy(pixels(data, decoding)).permute(2, 0, 1)
