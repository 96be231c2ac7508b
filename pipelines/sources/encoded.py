"""Images on their way from a file to the crops of training: decoded by the worker, or left to the training process."""

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


def planes(data: bytes, decoding: Decoding) -> Tensor:
    """(C, H, W) uint8, decoded on the CPU. Raises Unreadable."""
    return torch.from_numpy(pixels(data, decoding)).permute(2, 0, 1)
