"""Images of several channels as they are stored: NPY, TIFF (one frame or a stack) and what else Pillow opens.

Pillow reads 16-bit images of several channels as 8 bits without a word, and no TIFF of five; those are read by torchvision
(PNG) and by tifffile, where it is installed. Nothing is converted: no palette, no composition over a background.
"""

import importlib
import io
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from pipelines.listing.kinds import HEAD, kind_of
from pipelines.sources.images import BITS, NO_IMAGE, PNG_DEPTH, Unreadable, is_turned

try:
    import tifffile
except ImportError:  # pip install ".[tiff]"
    tifffile = None  # type: ignore[assignment]

Stored = NDArray[Any]
"""(H, W, C), uint8 or uint16."""
NPY = b"\x93NUMPY"
PLAIN = frozenset({"1", "L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I;16L"})
"""PIL modes whose numbers are those of the file; CMYK of TIFFs too."""
PNG_COLOUR = 25
"""Where a PNG's header says 0 for grey."""
PNG_SIZE = slice(16, 24)
"""Where it says width and height."""
MOST_PIXELS = 178_956_970
"""More than so many are refused, as Pillow does it for what it reads itself: a file of a few bytes can claim any number."""


def stored(data: bytes, channels: int, turn: bool) -> Stored:
    """The image with its ``channels``; turn: as its EXIF tag says. Raises Unreadable, also where there are others."""
    kind = kind_of(data[:HEAD])
    try:
        if data.startswith(NPY):
            found = _array(np.load(io.BytesIO(data), allow_pickle=False), channels)
        elif kind == "png" and data[PNG_DEPTH] == 16 and data[PNG_COLOUR] != 0:
            _bounded(math.prod(struct.unpack(">II", data[PNG_SIZE])))
            found = importlib.import_module("pipelines.sources.deep_png").decoded(data)  # it loads for seconds
        else:
            found = _tiff(data, turn, channels) if kind == "tif" else _picture(_opened(data), turn)
    except Unreadable:
        raise
    except Exception as error:  # broken files raise of every kind, and each library its own
        raise Unreadable(f"{type(error).__name__}: {error}") from None
    if found.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise Unreadable(f"values of type {found.dtype}; save them as 8 or 16 bits without sign (uint8, uint16)")
    if found.shape[2] != channels:
        raise Unreadable(f"{found.shape[2]} channels, dataset.channels says {channels}")
    return np.ascontiguousarray(found, found.dtype.newbyteorder("="))


def _bounded(pixels: int) -> None:
    if pixels > MOST_PIXELS:
        raise Unreadable(f"{pixels:,} pixels, more than the {MOST_PIXELS:,} that an image may have")


def _array(array: Stored, channels: int) -> Stored:
    """(H, W), or the channels last or first, whichever there are as many of; Unreadable where that does not tell."""
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim != 3:
        raise Unreadable(f"an array of shape {array.shape}; one image is (H, W), (H, W, channels) or (channels, H, W)")
    first, last = array.shape[0] == channels, array.shape[2] == channels
    if first and last:
        raise Unreadable(
            f"an array of shape {array.shape}: its first and its last axis could be the {channels} channels; save it as "
            "TIFF, or with another height or width"
        )
    if not first and not last:
        raise Unreadable(f"an array of shape {array.shape}: neither its first nor its last axis is {channels} channels")
    return array if last else array.transpose(1, 2, 0)


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise Unreadable(NO_IMAGE) from None


def _picture(image: Image.Image, turn: bool) -> Stored:
    """One frame."""
    mode = image.mode
    if mode not in PLAIN and not (mode == "CMYK" and image.format == "TIFF"):
        what = {"P": "a palette", "CMYK": "colours of print"}.get(mode, "more than 16 bits, or no whole numbers")
        raise Unreadable(
            f"mode {mode}: {what}, whose channels are not what the file holds; save it with plain channels"
        )
    if turn and is_turned(image):
        image = ImageOps.exif_transpose(image)
    pixels = np.asarray(image.convert("L") if mode == "1" else image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _tiff(data: bytes, turn: bool, channels: int) -> Stored:
    """The frames' channels one after the other."""
    if _pillow_reads(data):
        with _opened(data) as image:
            _bounded(image.width * image.height * getattr(image, "n_frames", 1) // channels)
            frames = [_picture(frame.copy(), turn) for frame in ImageSequence.Iterator(image)]
        if len({frame.shape[:2] for frame in frames}) > 1:
            sizes = ", ".join(f"{frame.shape[1]}x{frame.shape[0]}" for frame in frames[:3])
            raise Unreadable(f"frames of different sizes ({sizes}); save one image a file")
        return np.concatenate(frames, axis=2)
    if tifffile is None:
        raise Unreadable(
            "a TIFF of several channels that Pillow does not read as they are; install tifffile (pip install "
            '".[tiff]"), or save it as NPY'
        )
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        series = file.series[0]
        _bounded(math.prod(series.shape) // channels)
        array, axes = series.asarray(), series.axes
    if array.ndim == 2:
        return np.asarray(array)[:, :, None]
    if array.ndim != 3 or not {"Y", "X"} < set(axes):
        raise Unreadable(
            f"a TIFF with the axes {axes}, of shape {array.shape}; save one image a file, channels and all"
        )
    return np.moveaxis(np.asarray(array), [axes.index("Y"), axes.index("X")], [0, 1])


def _pillow_reads(data: bytes) -> bool:
    """Whether Pillow gives every frame as it is stored: not cut to 8 bits, and not unknown to it."""
    try:
        with _opened(data) as image:
            for frame in ImageSequence.Iterator(image):
                bits: tuple[int, ...] = frame.tag_v2.get(BITS, (8,))  # type: ignore[attr-defined]
                if max(bits) > 8 and len(bits) > 1:
                    return False
    except Exception:  # what it cannot open is of every kind
        return False
    return True
