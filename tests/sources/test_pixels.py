"""Pixels for crops: those that Pillow gives, bit for bit, whatever decodes them and however they lie in memory."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from source_tools import noise

from pipelines.sources import pixels as module
from pipelines.sources.images import AS_STORED, Decoding, Unreadable, open_image
from pipelines.sources.pixels import pixels
from pipelines.views.crops import cut

needs_simplejpeg = pytest.mark.skipif(module.simplejpeg is None, reason="simplejpeg is not installed")
TOLERANCE = 0
"""Steps of 1/255: none. Both are libjpeg-turbo with its exact DCT."""


def smooth(height: int, width: int) -> np.ndarray:
    """(height, width, 3): noise with large and small grain, as a photograph has."""
    grain = Image.fromarray(noise(1, 5, 5, 3)[0]).resize((width, height), Image.Resampling.BICUBIC)
    return (0.8 * np.asarray(grain) + 0.2 * noise(1, height, width, 3, seed=1)[0]).astype(np.uint8)


def jpeg(size: tuple[int, int] = (61, 83), mode: str = "RGB", **how: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(smooth(*size)).convert(mode).save(buffer, "jpeg", **how)
    return buffer.getvalue()


def turned(tag: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tag
    return jpeg(exif=exif)


def by_pillow(data: bytes, decoding: Decoding = AS_STORED) -> np.ndarray:
    return np.asarray(open_image(data, decoding).convert("RGB"))


FILES = {
    **{f"subsampling {kind}": jpeg(subsampling=kind) for kind in ("4:4:4", "4:2:2", "4:2:0")},
    **{f"{size}": jpeg(size) for size in ((1, 1), (7, 13), (8, 16), (375, 500))},
    **{f"quality {quality}": jpeg(quality=quality) for quality in (5, 75, 100)},
    "progressive": jpeg(progressive=True),
    "restarts": jpeg(restart_marker_rows=1),
    "RGB kept": jpeg(keep_rgb=True),
    "grey": jpeg(mode="L"),
    "CMYK": jpeg(mode="CMYK"),
    "with bytes behind its end": jpeg() + b"\0" * 100,
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_pillows(name: str) -> None:
    found, expected = pixels(FILES[name]).astype(int), by_pillow(FILES[name]).astype(int)
    assert found.shape == expected.shape
    assert abs(found - expected).max() <= TOLERANCE


@pytest.mark.parametrize("orientation", ["respect", "ignore"])
@pytest.mark.parametrize("tag", [1, 3, 6])
def test_turned_photographs_are_turned_or_not_as_told(orientation: str, tag: int) -> None:
    decoding = Decoding(orientation=orientation)
    assert np.array_equal(pixels(turned(tag), decoding), by_pillow(turned(tag), decoding))


@pytest.mark.parametrize("kind", ["png", "gif", "bmp", "webp"])
def test_other_kinds_are_pillows_too(kind: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(smooth(20, 30)).save(buffer, kind)
    assert np.array_equal(pixels(buffer.getvalue()), by_pillow(buffer.getvalue()))


@pytest.mark.parametrize("damaged", [jpeg()[:-200], jpeg()[:300], b"\xff\xd8\xff" + bytes(200), b""])
def test_what_pillow_cannot_read_is_refused_in_its_words(damaged: bytes) -> None:
    with pytest.raises(Unreadable) as ours:
        pixels(damaged)
    with pytest.raises(Unreadable) as theirs:
        open_image(damaged)
    assert str(ours.value).split(" <")[0] == str(theirs.value).split(" <")[0]


@needs_simplejpeg
def test_plain_jpegs_are_decoded_without_pillow_and_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(module, "open_image", lambda *given: asked.append(given) or open_image(*given))
    for name in ("subsampling 4:2:0", "grey", "progressive"):
        pixels(FILES[name])
    assert not asked
    pixels(FILES["CMYK"])
    pixels(turned(6), Decoding(orientation="respect"))
    assert len(asked) == 2


def test_without_simplejpeg_the_pixels_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: pixels(data) for name, data in FILES.items()}
    monkeypatch.setattr(module, "simplejpeg", None)
    assert all(np.array_equal(pixels(data), before[name]) for name, data in FILES.items())


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("box", [(3, 5, 50, 40), (0, 0, 12, 9), (10, 20, 16, 16)])
def test_a_crop_is_the_same_however_the_pixels_lie(interpolation: str, box: tuple[int, int, int, int]) -> None:
    """Channels last, as they are decoded, or in planes; both enlarged and reduced."""
    last = torch.from_numpy(pixels(FILES["subsampling 4:2:0"])).permute(2, 0, 1)
    for size in (16, 64):
        one, other = cut(last, box, size, interpolation), cut(last.contiguous(), box, size, interpolation)
        assert torch.equal(one, other)
        assert one.is_contiguous()
