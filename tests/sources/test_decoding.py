"""Photographs upright, transparency on a stated ground, CMYK in colour: the same in packing, resident and streaming."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from source_tools import noise

from pipelines.files import read_json
from pipelines.sources.arrays import resident
from pipelines.sources.base import open_source
from pipelines.sources.images import Decoding, Unreadable, decoded, open_image, reduced
from pipelines.sources.loader import Streaming
from pipelines.sources.looking import pixels_told
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards
from pipelines.sources.told import told
from pipelines.spec.datasets.imagefolder import Options as ImageFolder
from pipelines.spec.images_told import images_told


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


def deep_png() -> bytes:
    """2 x 2 pixels of three channels of 16 bits, which Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    lines = b"".join(b"\0" + noise(1, 12, seed=row)[0].tobytes() for row in range(2))
    whole = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + whole


def frames(kind: str) -> bytes:
    first, *more = [Image.fromarray(each) for each in noise(3, 4, 4, 3)]
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=more)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["gif", "png", "tiff", "webp"])
def test_further_frames_are_told(kind: str) -> None:
    assert reduced(frames(kind)) == ["frames"]


@pytest.mark.parametrize("data", [seen("RGBA"), frames("mpo"), b"", b"no image"])
def test_plain_pictures_and_the_previews_of_phones_are_not_told(data: bytes) -> None:
    assert reduced(data) == []


def test_what_is_left_of_images_stands_in_the_record_and_in_the_report(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    assert reduced(deep_png()) == ["deep"]
    for number, data in enumerate((deep_png(), frames("gif"), frames("tiff"), seen("RGBA"))):
        (folder / str(number)).write_bytes(data)
    options = ImageFolder(name="toy", folder=str(folder), test_share=0.25, holdout=0.0, image_size=4)
    index = build_shards(open_source(options), options, tmp_path / "out")
    assert (told(index)["images_cut_to_8_bits"], told(index)["images_of_several_frames"]) == (1, 2)
    words = images_told(read_json(tmp_path / "out" / "index.json"))["changed"]
    whole = open_source(options.model_copy(update={"test_share": 0.0})).train
    assert words == pixels_told(whole, options)["changed"]
    assert words.startswith("1 with transparency, 1 of 16 bits a channel")


@pytest.mark.parametrize(("allowed", "told"), [(0.1, True), (0.5, False)])
def test_a_look_says_where_packing_will_refuse(tmp_path: Path, allowed: float, told: bool) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(seen("RGBA") if number else b"")
    options = ImageFolder(name="toy", folder=str(tmp_path), test_share=0.0, max_unreadable=allowed)
    said = pixels_told(open_source(options).train, options)["unreadable"]
    assert said.startswith("1 of 4: 0.png (the file is empty)")
    assert said.endswith("packing refuses more than 0.1 of all (dataset.max_unreadable)") is told


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(Unreadable, match=r"^the file is empty$"):
        open_image(b"")


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
