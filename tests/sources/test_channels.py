"""Images of stated channels: what is stored is what comes out, scaled as the data set says, and doubt is refused."""

import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from pipelines.sources import stored
from pipelines.sources.channels import as_stored, channels_of, picture, square_channels
from pipelines.sources.images import Decoding, Unreadable

DEEP = np.random.default_rng(0).integers(0, 65_536, (6, 7, 5)).astype(np.uint16)
FIVE = Decoding(channels=5)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("array", [DEEP, DEEP.transpose(2, 0, 1), DEEP.astype(">u2")])
def test_arrays_come_back_whatever_the_place_of_their_channels(array):
    assert np.array_equal(as_stored(npy(array), FIVE), DEEP)


def test_a_stack_of_frames_is_its_channels():
    frames = [Image.fromarray(DEEP[:, :, channel]) for channel in range(5)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "tiff", save_all=True, append_images=frames[1:])
    assert np.array_equal(as_stored(buffer.getvalue(), FIVE), DEEP)


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row and their steps, of the passes of an interlaced PNG."""


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def deep_png(pixels: np.ndarray, interlace: int = 0, between: bytes = b"", first: int = 0) -> bytes:
    """A PNG of 16 bits, as the standard (ISO/IEC 15948) writes one: Pillow writes none of several channels.

    between: chunks between header and pixels; first: the filter that every line names
    """
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, interlace)
    passes = [pixels[row::down, column::right] for column, row, right, down in ADAM7] if interlace else [pixels]
    lines = b"".join(bytes([first]) + line.astype(">u2").tobytes() for part in passes if part.size for line in part)
    parts = chunk(b"IHDR", head), between, chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_an_interlaced_png_of_16_bits_keeps_them():
    for height, width in ((6, 7), (1, 1), (2, 9)):
        pixels = np.random.default_rng(0).integers(0, 65_536, (height, width, 3)).astype(np.uint16)
        assert np.array_equal(as_stored(deep_png(pixels, interlace=1), Decoding(channels=3)), pixels)


def broken_pngs() -> Iterator[bytes]:
    """Cut anywhere, with a bit flipped anywhere, with chunks that are none, filters and sizes that there are not."""
    draw, pixels = random.Random(0), DEEP[:, :, :3]
    good = deep_png(pixels)
    yield from (good[:end] for end in range(len(good)))
    for _ in range(200):
        wrong = bytearray(good)
        wrong[draw.randrange(len(wrong))] ^= 1 << draw.randrange(8)
        yield bytes(wrong)
    names = [b"PLTE", b"tRNS", b"sBIT", b"cHRM", b"iCCP", b"hIST", b"zTXt", b"ABCD", b"IDAT", b"IHDR", b"IEND"]
    yield from (deep_png(pixels, between=chunk(name, draw.randbytes(size))) for name in names for size in (0, 5, 800))
    yield from (deep_png(pixels, first=number) for number in range(5, 256, 25))
    for where, size in ((16, 8), (20, 7), (16, 0), (16, 1_000_001), (16, 2**31), (24, 0x10070000)):
        head = bytearray(good[12:29])
        head[where - 12 : where - 8] = struct.pack(">I", size)
        yield good[:12] + head + struct.pack(">I", zlib.crc32(head)) + good[33:]


def test_a_broken_png_of_16_bits_is_told_and_ends_no_process():
    """torchvision's decoder ends the process by a segmentation fault at whatever libpng does not like."""
    told = 0
    for data in broken_pngs():
        try:
            assert as_stored(data, Decoding(channels=3)).shape == (6, 7, 3)
        except Unreadable:
            told += 1
    assert told > 500


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_of_16_bits_keeps_them(channels):
    pixels = DEEP[:, :, :channels]
    assert np.array_equal(as_stored(deep_png(pixels), Decoding(channels=channels)), pixels)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_tiff_of_many_deep_channels_keeps_them(planar):
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    pixels = DEEP if planar == "contig" else DEEP.transpose(2, 0, 1)
    tifffile.imwrite(buffer, pixels, photometric="minisblack", planarconfig=planar)
    assert np.array_equal(as_stored(buffer.getvalue(), FIVE), DEEP)


def test_transparency_is_a_channel_like_others():
    pixels = (DEEP[:, :, :4] >> 8).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    assert np.array_equal(channels_of(buffer.getvalue(), Decoding(channels=4, alpha="white")), pixels)


def test_ranges_become_0_to_255_channel_by_channel():
    image = np.array([[[0, 100], [50, 150], [100, 300]]], np.uint16)
    found = channels_of(npy(image), Decoding(channels=2, value_range=((0, 100), (100, 200))))
    assert found.tolist() == [[[0, 0], [128, 128], [255, 255]]]
    assert channels_of(npy(np.array([[[0, 65_535]]], np.uint16)), Decoding(channels=2)).tolist() == [[[0, 255]]]


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (DEEP[:5], "its first and its last axis"),
        (DEEP[:, :, :4], "neither its first nor its last"),
        (DEEP.astype(np.float32), "float32"),
        (np.array([{}], object), "allow_pickle"),
    ],
)
def test_doubtful_arrays_are_refused_with_the_reason(array, reason):
    with pytest.raises(Unreadable, match=reason):
        as_stored(npy(array), FIVE)


def claims(side: int) -> bytes:
    """A PNG of few bytes that says it has so many pixels a side."""
    whole = deep_png(np.zeros((2, 2, 3), np.uint16))
    head = whole[12:16] + struct.pack(">II", side, side) + whole[24:29]
    return whole[:12] + head + struct.pack(">I", zlib.crc32(head)) + whole[33:]


def deflated_tiff(side: int) -> bytes:
    """Zeros, five channels of them, which compress to a thousandth."""
    buffer = io.BytesIO()
    tifffile = pytest.importorskip("tifffile", reason='not installed: pip install ".[tiff]"')
    with tifffile.TiffWriter(buffer) as writer:
        zeros = np.broadcast_to(np.zeros(1, np.uint8), (5, side, side))
        writer.write(zeros, compression="zlib", photometric="minisblack", planarconfig="separate")
    return buffer.getvalue()


def frames(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(
        buffer, "tiff", save_all=True, append_images=[Image.new("L", (side, side))] * 7, compression="tiff_deflate"
    )
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("made", "channels"), [(claims, 3), (deflated_tiff, 5), (frames, 5)], ids=["png", "tiff", "frames"]
)
def test_an_image_of_few_bytes_that_holds_more_pixels_than_an_image_may_have_is_refused_undecoded(
    monkeypatch, made, channels
):
    monkeypatch.setattr(stored, "MOST_PIXELS", 999)
    with pytest.raises(Unreadable, match="pixels, more than the 999 that an image may have"):
        as_stored(made(200), Decoding(channels=channels))


def test_sizes_and_pictures():
    eight = (DEEP >> 8).astype(np.uint8)
    assert square_channels(eight, 4).shape == (5, 4, 4)
    assert np.array_equal(np.asarray(picture(eight)), eight[:, :, :3])
    assert np.array_equal(np.asarray(picture(eight[:, :, :2])), eight[:, :, 0])
