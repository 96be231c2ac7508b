"""Photographs upright, transparency on a stated ground, CMYK in colour: the same in packing, resident and streaming."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from source_tools import noise

from pipelines.sources.arrays import resident
from pipelines.sources.base import open_source
from pipelines.sources.images import Decoding, decoded, open_image
from pipelines.sources.loader import Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards
from pipelines.sources.told import told
from pipelines.spec.datasets.imagefolder import Options as ImageFolder


def turned(pixels: np.ndarray, tag: int = 6) -> bytes:
    """A PNG that says that it has to be turned."""
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = tag
    Image.fromarray(pixels).save(buffer, "png", exif=exif)
    return buffer.getvalue()


def seen(mode: str, kind: str = "png") -> bytes:
    """An image whose left half is transparent, red under it, and whose right half is black."""
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, :2, 0], pixels[:, 2:, 3] = 255, 255
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").convert(mode).save(buffer, kind)
    return buffer.getvalue()


def test_the_exif_tag_turns_unless_it_is_ignored() -> None:
    pixels = noise(1, 4, 6, 3)[0]
    image, changed = decoded(turned(pixels), Decoding(orientation="respect"))
    assert changed == ["turned"]
    assert np.array_equal(np.asarray(image), np.rot90(pixels, -1))
    assert np.array_equal(np.asarray(open_image(turned(pixels))), pixels)
    assert decoded(turned(pixels, 1), Decoding(orientation="respect"))[1] == []


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize(("alpha", "value"), [("white", 255), ("black", 0)])
def test_transparency_shows_the_ground(mode: str, alpha: str, value: int) -> None:
    image, changed = decoded(seen(mode), Decoding(alpha=alpha))
    assert (changed, image.mode) == (["alpha"], "L" if mode == "LA" else "RGB")
    assert (np.asarray(image)[:, :2] == value).all()
    assert (np.asarray(image)[:, 2:] == 0).all()


def test_dropping_alpha_keeps_the_colour_under_it() -> None:
    assert np.asarray(open_image(seen("RGBA")))[0, 0].tolist() == [255, 0, 0]


def test_every_way_of_reading_decodes_alike_and_what_was_changed_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    for number, pixels in enumerate(noise(8, 4, 4, 3)):
        (folder / f"{number}.png").write_bytes(turned(pixels))
    (folder / "alpha.png").write_bytes(seen("RGBA"))
    Image.fromarray(noise(1, 4, 4, 3)[0]).convert("CMYK").save(folder / "print.jpg")
    options = ImageFolder(name="toy", folder=str(folder), test_share=0.1, holdout=0.0)
    index = build_shards(open_source(options), options, tmp_path / "out")
    found = told(index)
    counts = (found["images_turned"], found["images_with_alpha"], found["images_in_cmyk"])
    assert counts == (8, 1, 1)
    shards = open_shards(tmp_path / "out")
    whole = resident(shards, "train")
    assert np.allclose(index.mean, whole.images.mean((0, 2, 3)) / 255, atol=1e-9)
    order = Order(batch_size=9, seed=0, shuffle=False)
    (batch,) = Streaming(shards, order, torch.device("cpu"), workers=0).epoch(0)
    assert torch.equal(batch.images, torch.from_numpy(whole.images))
