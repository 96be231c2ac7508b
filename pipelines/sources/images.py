"""Encoded images to uint8 arrays and back."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipelines.listing.kinds import HEAD, kind_of

UNSUPPORTED = frozenset({"heic"})
"""Kinds that are known and that Pillow does not read by itself."""
ORIENTATION = 0x0112
"""The EXIF tag."""
LARGEST = 2**26
"""Pixels of an image that is resized as a whole; 1 x 30,000 pixels at 224 would be 1.5 thousand millions."""
EXTREME = 10
"""Times that one side of an image is as long as the other, from where on it is told: its middle square shows little of it."""
BITS = 258
"""The TIFF tag: bits of each sample."""
PNG_DEPTH = 24
"""Where a PNG's header says bits of a channel."""
GREY = frozenset({"1", "L"})
"""PIL modes with one channel of at most 8 bits."""


class Unreadable(Exception):
    """Bytes that are not a whole 8-bit image; the message is the reason."""


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """(H, W) or (H, W, 3) uint8 as PNG, with fixed parameters: equal arrays, equal bytes (with one build of zlib)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", optimize=False, compress_level=6)
    return buffer.getvalue()


@dataclass(frozen=True)
class Decoding:
    """How encoded images become pixels.

    orientation  respect: turned as the EXIF tag says; ignore: as stored (TIFF is turned always, by Pillow)
    alpha        what shows through transparent pixels; drop: their own colour, whatever it is
    channels     of every image, see ``sources.channels``; none: images are grey or RGB
    value_range  stored values that become 0 and 1, one pair or one a channel; none: the whole range of the file
    """

    orientation: str = "ignore"
    alpha: str = "drop"
    channels: int | None = None
    value_range: tuple[tuple[int, int], ...] | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Decoding":
        """What a data set's options say; those that say nothing have images without such."""
        given = {name: options[name] for name in ("orientation", "alpha", "channels") if name in options}
        ranges = options.get("value_range")
        return cls(**given, value_range=ranges and tuple((low, high) for low, high in ranges))


AS_STORED = Decoding()
NO_IMAGE = "no image that can be read, or a broken one"
"""Instead of PIL's words, which name the bytes by their address: that is another one in every run."""


def open_image(data: bytes, decoding: Decoding = AS_STORED) -> Image.Image:
    """The decoded image in mode L or RGB. Raises Unreadable."""
    return decoded(data, decoding)[0]


def decoded(data: bytes, decoding: Decoding = AS_STORED) -> tuple[Image.Image, list[str]]:
    """``open_image``, with what had to be changed: alpha, cmyk, turned."""

    if (kind := kind_of(data[:HEAD])) in UNSUPPORTED:
        raise Unreadable(f"{kind} is not read here; convert it to JPEG or PNG")
    if not data:
        raise Unreadable("the file is empty")
    try:
        image: Image.Image = Image.open(io.BytesIO(data))
        image.load()
        changed = ["cmyk"] if image.mode == "CMYK" else []
        if decoding.orientation == "respect" and is_turned(image):
            changed.append("turned")
            image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            changed.append("alpha")
            image = _on_background(image, decoding.alpha)
    except UnidentifiedImageError:
        raise Unreadable(NO_IMAGE) from None
    except Exception as error:  # what PIL raises for broken files ranges from SyntaxError to struct.error
        raise Unreadable(f"{type(error).__name__}: {error}") from None
    if image.mode.startswith(("I", "F")):
        whole = "; write dataset.channels: 1, which reads 16 bits, or" if image.mode.startswith("I;16") else ";"
        raise Unreadable(f"mode {image.mode}: more than 8 bits a channel{whole} convert it to 8 bits first")
    return _in_mode(image, "L" if image.mode in GREY else "RGB"), changed


def reduced(data: bytes) -> list[str]:
    """What ``decoded`` leaves of a picture without a change of its own: deep, of 16 bits a channel the upper 8; frames, of
    several the first (of a phone's picture the others are previews). [] where it cannot be opened."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            bits = data[PNG_DEPTH] if image.format == "PNG" else max(_tags(image).get(BITS, (8,)))
            several = getattr(image, "is_animated", False) and image.format != "MPO"
    except Exception:  # what PIL raises for broken files is of every kind; ``decoded`` says which
        return []
    return ["deep"] * (bits > 8) + ["frames"] * several


def _tags(image: Image.Image) -> Mapping[int, Any]:
    """Of a TIFF."""
    found: Mapping[int, Any] = getattr(image, "tag_v2", {})
    return found


def _on_background(image: Image.Image, alpha: str) -> Image.Image:
    """The image over white or black."""
    if alpha == "drop":
        return image
    grey = image.mode in ("L", "LA", "La")
    over = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, alpha)
    return Image.alpha_composite(ground, over).convert("L" if grey else "RGB")


def is_turned(image: Image.Image) -> bool:
    """Whether the EXIF tag says so; damaged EXIF data say nothing."""
    if "exif" not in image.info:
        return False
    try:
        return image.getexif().get(ORIENTATION, 1) in range(2, 9)
    except Exception:  # what PIL raises for broken tags is of every kind
        return False


def is_extreme(size: tuple[int, int]) -> bool:
    """Whether an image of this width and height is a strip."""
    return max(size) >= EXTREME * min(size)


def square(image: Image.Image, side: int, how: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
    """Resize the short side to ``side`` pixels and cut the centre square; an image of that size comes back as it is.

    how: by default bilinear with antialiasing (PIL's, whose support grows with the reduction), as torchvision's Resize and
    CenterCrop.
    """
    if image.size == (side, side):
        return image
    width, height = (side * length // min(image.size) for length in image.size)
    if width * height > LARGEST:  # a strip of few pixels: only its middle is made larger
        scales = image.size[0] / width, image.size[1] / height
        starts = round((width - side) / 2) * scales[0], round((height - side) / 2) * scales[1]
        ends = [start + side * scale for start, scale in zip(starts, scales, strict=True)]
        box = (*starts, min(ends[0], image.size[0]), min(ends[1], image.size[1]))
        return image.resize((side, side), how, box)
    resized = image.resize((width, height), how)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return resized.crop((left, top, left + side, top + side))


def to_array(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    """(channels, H, W) uint8, contiguous; channels 1 or 3. Grey becomes three equal channels where 3 are asked for."""
    pixels = np.asarray(_in_mode(image, "L" if channels == 1 else "RGB"))
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)
