"""Images of stated channels: what is stored is what comes out, scaled as the data set says, and doubt is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

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


def deep_png(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits, as the standard (ISO/IEC 15948) writes one: Pillow writes none of several channels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


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


def test_sizes_and_pictures():
    eight = (DEEP >> 8).astype(np.uint8)
    assert square_channels(eight, 4).shape == (5, 4, 4)
    assert np.array_equal(np.asarray(picture(eight)), eight[:, :, :3])
    assert np.array_equal(np.asarray(picture(eight[:, :, :2])), eight[:, :, 0])
