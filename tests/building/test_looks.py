"""Pictures of what features see: the right neighbours, marked where they are of another class, and the images themselves."""

import numpy as np
import pytest
import torch
from PIL import Image
from source_tools import TOY, noise

from pipelines.building.embedding import Embedding
from pipelines.building.features import EvaluatedEncoder as Embedded
from pipelines.building.features import embedded
from pipelines.building.images import Wanted
from pipelines.building.looks import evenly, placed, write_looks
from pipelines.building.sheets import FRAME, save_sheet, sized, thumbnails
from pipelines.contact_sheet import Sheet
from pipelines.files import read_sealed
from pipelines.sources.arrays import resident
from pipelines.sources.base import Source, array_split
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def embedding(tmp_path_factory) -> Embedding:
    """Pixels of 12 test images of three classes, copies of some of the 40 of train, where every fifth has no label."""
    label = np.arange(40) % 3
    label[::5] = -1
    images = noise(40, 6, 6, 3)
    known = np.flatnonzero(label >= 0)[:12]
    source = Source(
        ("a", "b", "<c>"),
        train=array_split("train", images, label),
        test=array_split("test", images[known], label[known]),
    )
    folder = tmp_path_factory.mktemp("some") / "shards"
    build_shards(source, TOY, folder)
    shards = open_shards(folder)
    return Embedding("pixels", embedded(Embedded(None, Wanted.of(shards)), shards, CPU), shards, None, 0.0, {})


def test_thumbnails_are_the_images_asked_for_in_their_order(embedding):
    images = torch.from_numpy(np.array(resident(embedding.shards, "train").images))
    rows = np.array([7, 2, 7])
    found = thumbnails(embedding.shards, "train", rows, images.shape[-1])
    assert torch.equal(found, images[rows])


@pytest.mark.parametrize("side", [12, 3])
def test_images_of_one_colour_keep_it_in_any_size(side):
    flat = torch.tensor([0.2, 0.4, 0.8]).view(1, 3, 1, 1).expand(1, 3, 6, 6)
    found = sized(flat, side)
    assert found.shape == (1, 3, side, side)
    assert found.amin((0, 2, 3)).tolist() == found.amax((0, 2, 3)).tolist() == [51, 102, 204]


def test_the_nearest_neighbour_of_an_image_is_its_copy_and_another_class_has_a_frame(embedding, tmp_path):
    found = write_looks(tmp_path, embedding, embedding.features.test_label, [])
    sheet = Sheet.load(tmp_path / found["neighbours_about"])
    picture = np.asarray(Image.open(tmp_path / found["neighbours"]))
    assert picture.shape == (*sheet.size[::-1], 3)
    for row, tips in enumerate(sheet.tips):
        assert tips[1].endswith("cosine 1.000")
        for column, tip in enumerate(tips[1:], start=1):
            left, top = sheet.place(row, column)
            edge = picture[top : top + sheet.cell, left].astype(int).mean(0)
            other = tip.rpartition(",")[0].rpartition(": ")[2] != tips[0].rpartition(": ")[2]
            assert (np.abs(edge - FRAME).max() < 60) == other, (row, column)
    assert len(sheet.tips) == 8
    same = [tip for tips in sheet.tips for tip in tips[1:] if f": {tips[0].rpartition(': ')[2]}, cosine" in tip]
    assert f"{len(same)} of 64 neighbours are of the image's own class" in sheet.alt


def test_a_map_has_a_point_and_an_image_for_every_row(embedding, tmp_path):
    found = write_looks(tmp_path, embedding, embedding.features.test_label, [])
    points, sheet = read_sealed(tmp_path / found["map_points"], ""), Sheet.load(tmp_path / found["map_about"])
    tips = [tip for row in sheet.tips for tip in row]
    assert [points["classes"][kind] for _, _, kind in points["points"]] == [tip.rpartition(": ")[2] for tip in tips]
    assert all(0 <= place <= 1 for x, y, _ in points["points"] for place in (x, y))
    assert "confusions" not in found


def test_places_are_the_same_every_time_and_groups_stay_together():
    generator = torch.Generator().manual_seed(0)
    rows = torch.cat([centre + 0.05 * torch.randn(20, 8, generator=generator) for centre in torch.eye(8)[:3]])
    first = placed(rows)
    assert np.array_equal(first, placed(rows))
    middles = first.reshape(3, 20, 2).mean(1)
    nearest = np.abs(first[:, None] - middles).sum(2).argmin(1)
    assert nearest.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    assert np.array_equal(placed(torch.ones(9, 4)), np.full((9, 2), 0.5))  # collapsed


def test_confusions_show_the_images_that_were_named_so(embedding, tmp_path):
    label = embedding.features.test_label
    named = torch.where(label == 2, 0, label)
    found = write_looks(tmp_path, embedding, named, [(2, 0, 1.0)])
    sheet = Sheet.load(tmp_path / found["confusions_about"])
    assert sheet.rows == ("<c> named a, 100.0 %",)
    assert len(sheet.tips[0]) == min(8, int((label == 2).sum()))
    assert all(": <c>, <c> named a" in tip for tip in sheet.tips[0])


def test_equal_sheets_have_equal_bytes_and_cells_have_to_fit(tmp_path):
    sheet = Sheet(alt="two", cell=4, rows=("first",), tips=(("a", "b"),))
    cells = [torch.zeros(2, 3, 4, 4, dtype=torch.uint8)]
    for name in ("one", "two"):
        save_sheet(tmp_path, name, sheet, cells, {(0, 1)})
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()
    with pytest.raises(AssertionError):
        save_sheet(tmp_path, "one", sheet, [torch.zeros(1, 3, 4, 4, dtype=torch.uint8)])
    with pytest.raises(ValueError, match="2 titles for 1 rows"):
        Sheet(alt="", cell=4, rows=("first", "second"), tips=(("a",),))


def test_rows_are_spread_from_the_first_to_the_last():
    assert evenly(np.arange(100), 3).tolist() == [0, 50, 99]
    assert evenly(np.arange(2), 3).tolist() == [0, 1]
