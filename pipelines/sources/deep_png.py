"""PNG of 16 bits and several channels, by torchvision, which takes seconds to load: no file imports this one at its top.

torchvision's decoder ends the whole process, by a segmentation fault, wherever libpng finds something wrong. So it is given
nothing of a file but its pixels, after all that libpng would ask of them (ISO/IEC 15948).
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.io import ImageReadMode, decode_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 4: 2, 6: 4}
"""Number of the colour type -> channels."""
LONGEST = 1_000_000
"""Pixels a side that libpng takes."""
PIECE = 1 << 20
"""Bytes of a chunk of pixels: libpng refuses longer ones than eight million."""
FILTERS = 5
WHOLE = ((0, 0, 1, 1),)
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row and their steps, of the passes of an interlaced image."""


def decoded(data: bytes) -> NDArray[Any]:
    """(H, W, C) uint16, as it is stored. ValueError and zlib.error for a broken file."""
    encoded = torch.frombuffer(bytearray(_pixels_alone(data)), dtype=torch.uint8)
    found: NDArray[Any] = decode_png(encoded, ImageReadMode.UNCHANGED).numpy()
    return found.transpose(1, 2, 0)


def _pixels_alone(data: bytes) -> bytes:
    """A PNG with the same pixels and nothing else."""
    (first, header), *others = _chunks(data)
    if first != b"IHDR" or len(header) != 13:
        raise ValueError("a PNG without its header")
    packed = b"".join(content for name, content in others if name == b"IDAT")
    _check(packed, *struct.unpack(">IIBBBBB", header))
    pieces = [packed[start : start + PIECE] for start in range(0, len(packed), PIECE)]
    parts = [(b"IHDR", header), *((b"IDAT", piece) for piece in pieces), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(*part) for part in parts)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents up to the end; ValueError where header or pixels are not whole."""
    place = len(SIGNATURE)
    while True:
        length, name = struct.unpack_from(">I4s", data, place)
        content = data[place + 8 : place + 8 + length]
        if name == b"IEND":
            return
        if name in (b"IHDR", b"IDAT") and data[place : place + 12 + length] != _chunk(name, content):
            raise ValueError(f"the {name.decode()} of a PNG does not fit its checksum, or is cut off")
        yield name, content
        place += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _check(
    packed: bytes, width: int, height: int, depth: int, colour: int, compression: int, filtering: int, interlace: int
) -> None:
    """ValueError unless the pixels are all there, and in a form that libpng reads."""
    if depth != 16 or colour not in CHANNELS or compression or filtering or interlace > 1:
        raise ValueError("a PNG with a header that the standard does not know")
    if not (0 < width <= LONGEST and 0 < height <= LONGEST):
        raise ValueError(f"a PNG of {width} x {height} pixels")
    lines = []
    for column, row, right, down in ADAM7 if interlace else WHOLE:
        across, along = -(-(width - column) // right), -(-(height - row) // down)
        lines += [(along, 1 + across * CHANNELS[colour] * depth // 8)] if across > 0 and along > 0 else []
    size = sum(count * length for count, length in lines)
    unpacking = zlib.decompressobj()
    raw = np.frombuffer(unpacking.decompress(packed, size + 1), np.uint8)
    if len(raw) != size or unpacking.decompress(unpacking.unconsumed_tail, 1) or not unpacking.eof:
        raise ValueError("a PNG whose pixels are cut off, or more than its header says")
    for count, length in lines:
        if raw[: count * length : length].max() >= FILTERS:
            raise ValueError("a PNG with a filter that the standard does not know")
        raw = raw[count * length :]
