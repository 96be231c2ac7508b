"""Encoded images to pixels for the crops of training: by Pillow, and JPEG by libjpeg-turbo itself where simplejpeg is there.

Both give the same pixels (tests compare them bit for bit), so that nothing of a result depends on what is installed. Pillow
keeps four bytes a pixel and copies them twice more, which takes about as long as decoding (``benchmarks/decoding.py``).
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.listing.kinds import HEAD, kind_of
from pipelines.sources.channels import channels_of
from pipelines.sources.images import AS_STORED, Decoding, is_turned, open_image

try:
    import simplejpeg
except ImportError:  # pip install ".[jpeg]"
    simplejpeg = None


PLAIN = frozenset({"L", "RGB"})
"""Modes of a JPEG that need no more than decoding."""


def pixels(data: bytes, decoding: Decoding = AS_STORED) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, writable; grey has three equal channels; or of as many as are stated. Raises Unreadable."""
    if decoding.channels:
        return channels_of(data, decoding)
    found = _jpeg(data, decoding) if simplejpeg is not None else None
    return np.array(open_image(data, decoding).convert("RGB")) if found is None else found


def is_plain_jpeg(data: bytes, decoding: Decoding) -> bool:
    """Whether it is a JPEG, by its header, whose pixels are as they should be once it is decoded."""
    if decoding.channels or kind_of(data[:HEAD]) != "jpg":
        return False
    try:
        image = Image.open(io.BytesIO(data))  # reads the header
        return image.mode in PLAIN and not (decoding.orientation == "respect" and is_turned(image))
    except Exception:  # whatever is wrong with it, ``open_image`` says it in words
        return False


def _jpeg(data: bytes, decoding: Decoding) -> NDArray[np.uint8] | None:
    """A whole, plain JPEG; None where it is for Pillow to say what it is."""
    if not is_plain_jpeg(data, decoding):
        return None
    try:
        found: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, strict=True)
        return found
    except Exception:
        return None
