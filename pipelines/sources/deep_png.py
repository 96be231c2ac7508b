"""PNG of 16 bits and several channels, by torchvision, which takes seconds to load: no file imports this one at its top."""

from typing import Any

import torch
from numpy.typing import NDArray
from torchvision.io import ImageReadMode, decode_png


def decoded(data: bytes) -> NDArray[Any]:
    """(H, W, C) uint16, as it is stored. RuntimeError for a broken file."""
    encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    found: NDArray[Any] = decode_png(encoded, ImageReadMode.UNCHANGED).numpy()
    return found.transpose(1, 2, 0)
