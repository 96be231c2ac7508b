"""Encoded images to uint8 arrays and back."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

EXTENSIONS = frozenset({"bmp", "gif", "jpeg", "jpg", "pgm", "png", "ppm", "tif", "tiff", "webp"})
"""File endings, in lower case, that are taken for images."""
GREY = frozenset({"1", "L"})
"""PIL modes with one channel of at most 8 bits."""


class Unreadable(Exception):
    """Bytes that are not a whole 8-bit image; the message is the reason."""


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """(H, W) or (H, W, 3) uint8 as PNG, with fixed parameters: equal arrays, equal bytes (with one build of zlib)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", optimize=False, compress_level=6)
    return buffer.getvalue()


def open_image(data: bytes) -> Image.Image:
    """The decoded image in mode L or RGB. Raises Unreadable. Orientation tags are ignored, as is usual for ImageNet."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except Exception as error:  # what PIL raises for broken files ranges from SyntaxError to struct.error
        raise Unreadable(f"{type(error).__name__}: {error}") from None
    if image.mode.startswith(("I", "F")):
        raise Unreadable(f"mode {image.mode}: more than 8 bits a channel; convert it to 8 bits first")
    return _in_mode(image, "L" if image.mode in GREY else "RGB")


def square(image: Image.Image, side: int) -> Image.Image:
    """Resize the short side to ``side`` pixels and cut the centre square; an image of that size comes back as it is.

    Bilinear with antialiasing (PIL's, whose support grows with the reduction), as torchvision's Resize + CenterCrop.
    """
    if image.size == (side, side):
        return image
    width, height = (side * length // min(image.size) for length in image.size)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return resized.crop((left, top, left + side, top + side))


def to_array(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    """(channels, H, W) uint8, contiguous; channels 1 or 3. Grey becomes three equal channels where 3 are asked for."""
    pixels = np.asarray(_in_mode(image, "L" if channels == 1 else "RGB"))
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)
