"""Images of a stated number of channels as 8-bit values, and as a picture for a person to look at."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.sources.images import Decoding, square
from pipelines.sources.stored import Stored, stored


def as_stored(data: bytes, decoding: Decoding) -> Stored:
    """(H, W, C) as in the file, uint8 or uint16, with the channels that ``decoding`` says. Raises Unreadable."""
    assert decoding.channels is not None
    return stored(data, decoding.channels, decoding.orientation == "respect")


def scaled(image: Stored, decoding: Decoding) -> NDArray[np.uint8]:
    """(H, W, C) as stored -> the same as uint8: each channel's range becomes 0 to 255, rounded; what lies outside is cut."""
    top = int(np.iinfo(image.dtype).max)
    given = decoding.value_range or ((0, top),)
    if given == ((0, 255),) and top == 255:
        return image
    ranges = given * image.shape[2] if len(given) == 1 else given
    planes = [_table(low, high, top)[image[:, :, channel]] for channel, (low, high) in enumerate(ranges)]
    return np.stack(planes, axis=2)


@lru_cache(maxsize=64)
def _table(low: int, high: int, top: int) -> NDArray[np.uint8]:
    """Stored value, 0 to ``top`` -> 0 to 255."""
    share = (np.arange(top + 1) - low) / (high - low)
    return np.rint(share.clip(0, 1) * 255).astype(np.uint8)


def channels_of(data: bytes, decoding: Decoding) -> NDArray[np.uint8]:
    """(H, W, C) uint8, writable. Raises Unreadable."""
    return np.array(scaled(as_stored(data, decoding), decoding))


def square_channels(pixels: NDArray[np.uint8], side: int | None) -> NDArray[np.uint8]:
    """(H, W, C) -> (C, side, side), each channel as ``square`` does it; side none: (C, H, W)."""
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    if side is None:
        return planes
    return np.stack([np.asarray(square(Image.fromarray(plane), side)) for plane in planes])


def picture(pixels: NDArray[np.uint8]) -> Image.Image:
    """(H, W, C) as a picture: the first three channels as red, green and blue; of fewer the first alone, in grey."""
    shown = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(shown))
