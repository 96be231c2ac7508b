"""Decoding: round trips, torchvision's geometry, and a reason for what cannot be read."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from source_tools import encoded, noise

from pipelines.sources import images, stored
from pipelines.sources.images import Unreadable, encode_png, open_image, square, to_array


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_png_keeps_every_pixel_and_the_mode(shape: tuple[int, ...]) -> None:
    image = noise(1, *shape)[0]
    opened = open_image(encode_png(image))
    assert opened.mode == ("L" if len(shape) == 2 else "RGB")
    assert np.array_equal(np.asarray(opened), image)
    assert encode_png(image) == encode_png(image.copy())


@pytest.mark.parametrize(("height", "width"), [(37, 61), (61, 37), (40, 40), (9, 30)])
def test_square_is_torchvisions_resize_and_centre_crop(height: int, width: int) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    image = Image.fromarray(noise(1, height, width, 3)[0])
    for side in (9, 16):
        expected = transforms.CenterCrop(side)(transforms.Resize(side)(image))
        assert np.array_equal(np.asarray(square(image, side)), np.asarray(expected))


def test_an_image_of_the_right_size_is_left_alone() -> None:
    image = Image.fromarray(noise(1, 8, 8, 3)[0])
    assert square(image, 8) is image


def test_grey_is_repeated_and_colour_moved_to_the_front() -> None:
    grey, colour = noise(1, 4, 6)[0], noise(1, 4, 6, 3)[0]
    assert np.array_equal(to_array(Image.fromarray(grey), 3), np.stack([grey] * 3))
    assert np.array_equal(to_array(Image.fromarray(grey), 1), grey[None])
    assert np.array_equal(to_array(Image.fromarray(colour), 3), colour.transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "CMYK", "LA"])
def test_other_modes_become_grey_or_colour(mode: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(noise(1, 4, 6, 3)[0]).convert(mode).save(buffer, "tiff")
    assert open_image(buffer.getvalue()).mode == ("L" if mode == "1" else "RGB")


def test_what_cannot_be_read_has_a_reason() -> None:
    whole = encoded(noise(1, 32, 32, 3)[0], "jpeg")
    for broken in (b"", b"not an image", whole[: len(whole) // 2]):
        with pytest.raises(Unreadable, match=r"Error|no image that can be read|the file is empty"):
            open_image(broken)
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(buffer, "png")
    with pytest.raises(Unreadable, match="more than 8 bits"):
        open_image(buffer.getvalue())


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1), (3, 20_001)])
def test_a_strip_of_few_pixels_takes_no_gigabytes(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    asked, resize = [], Image.Image.resize

    def watched(image: Image.Image, to: tuple[int, int], *further: object) -> Image.Image:
        asked.append(to[0] * to[1])
        return resize(image, to, *further)

    monkeypatch.setattr(Image.Image, "resize", watched)
    grey = Image.fromarray(np.full(size, 77, np.uint8))
    assert (np.asarray(square(grey, 224)) == 77).all()
    assert max(asked) <= images.LARGEST


@pytest.mark.parametrize("shape", [(8, 301), (301, 8), (40, 33)])
def test_the_middle_of_a_strip_is_that_of_the_whole(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(noise(1, *shape, 3)[0])
    whole = np.asarray(square(image, 16), np.int16)
    monkeypatch.setattr(images, "LARGEST", 0)
    assert np.abs(np.asarray(square(image, 16), np.int16) - whole).max() <= 1


def test_a_png_that_claims_gigabytes_is_refused_before_they_are_taken() -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    with pytest.raises(Unreadable, match="DecompressionBombError"):
        open_image(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b""))


@pytest.mark.parametrize("data", [b"\xff\xd8\xff rubbish", b"GIF89a", b"\0" * 300])
def test_bytes_that_are_no_image_are_told_in_the_same_words_every_time(data: bytes) -> None:
    """PIL names them by their address in memory, which would make two records of the same images differ."""
    for read in (open_image, lambda data: stored.stored(data, 3, turn=False)):
        reasons = set()
        for _ in range(2):
            with pytest.raises(Unreadable) as refused:
                read(data)
            reasons.add(str(refused.value))
        assert len(reasons) == 1
        assert " at 0x" not in reasons.pop()
