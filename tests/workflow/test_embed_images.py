"""Features of images that no study planned: those a study would have, resumed after a stop, and nothing overwritten."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from study_tools import Made

from pipelines.building import folder_features
from pipelines.building.features import embedded, source_of
from pipelines.building.methods import Pretrained
from pipelines.cli import main
from pipelines.errors import BadResult
from pipelines.sources.arrays import resident
from pipelines.sources.reader import open_shards

STUDY = """
question: q
dataset: {use: digits, limit: 200}
encoder: {use: resnet, depth: 10, width: 8}
methods: [{use: simclr, label: m}]
seeds: [0]
training: {batch_size: 64, epochs: 1, precision: float32}
evaluation: [{use: knn, k: 3}]
keep_features: true
"""
COUNT = 40


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    made = Made.of(STUDY, tmp_path_factory.mktemp("embed"))
    made.run(*made.plan.of("pretrain"))
    return made


@pytest.fixture
def weights(made):
    return made.plan.of("pretrain")[0].folder(made.results)


@pytest.fixture
def folder(made, tmp_path):
    """The first test images of the study as PNG files, and something that is no image."""
    data = resident(open_shards(made.shards()), "test")
    place = tmp_path / "images"
    (place / "deep").mkdir(parents=True)
    for i in range(COUNT):
        Image.fromarray(np.asarray(data.images[i])[0]).save(place / ("deep" if i % 2 else "") / f"{i:03d}.png")
    (place / "notes.txt").write_text("not an image")
    return place


def run(weights, folder, to) -> int:
    return main(["embed-images", str(weights), str(folder), "--to", str(to)])


def read(path) -> dict[int, np.ndarray]:
    """Number of the image -> its features."""
    table = pq.read_table(path)
    rows = zip(table["id"].to_pylist(), table["features"].to_pylist())
    return {int(name.split("/")[-1].removesuffix(".png")): np.array(row, np.float32) for name, row in rows}


def test_they_are_the_features_that_the_study_has(made, weights, folder, tmp_path):
    assert run(weights, folder, tmp_path / "f.parquet") == 0
    shards = open_shards(made.shards())
    job = made.plan.of("evaluate")
    trained = next(each for each in job if "weights" in each.inputs)
    expected = embedded(source_of(trained.spec, shards, Pretrained.left(weights)), shards, torch.device("cpu")).test
    found = read(tmp_path / "f.parquet")
    assert sorted(found) == list(range(COUNT))
    for i, row in found.items():
        assert np.allclose(row, expected[i].numpy(), atol=1e-5)


def test_kept_features_of_a_study_carry_the_ids_of_its_images(made):
    shards = open_shards(made.shards())
    job = next(each for each in made.plan.of("evaluate") if "weights" in each.inputs)
    made.run(job)
    (file,) = (made.results / "features").glob("*.safetensors")
    rows = load_file(file)
    for split in ("train", "test"):
        ids = [bytes(row).rstrip(b"\0").decode() for row in rows[f"{split}_id"].numpy()]
        assert ids == shards.ids(split)
        assert len(ids) == len(rows[split])


def test_an_export_gives_the_same(weights, folder, tmp_path):
    assert main(["export", str(weights), "--to", str(tmp_path / "out")]) == 0
    assert run(weights, folder, tmp_path / "a.parquet") == run(tmp_path / "out", folder, tmp_path / "b.parquet") == 0
    first, second = read(tmp_path / "a.parquet"), read(tmp_path / "b.parquet")
    assert all(np.array_equal(first[i], second[i]) for i in first)


def test_a_stopped_run_goes_on_and_ends_the_same(weights, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folder_features, "PART", 16)
    assert run(weights, folder, tmp_path / "whole.parquet") == 0
    real, calls = folder_features._features, []

    def stopping(*arguments):
        if len(calls) == 2:
            raise BadResult("stopped")
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(folder_features, "_features", stopping)
    assert run(weights, folder, tmp_path / "f.parquet") == 1
    assert not (tmp_path / "f.parquet").exists()
    calls.clear()
    monkeypatch.setattr(folder_features, "_features", lambda *given: calls.append(1) or real(*given))
    assert run(weights, folder, tmp_path / "f.parquet") == 0
    assert len(calls) == 1  # two of three parts were there
    assert "40 of 40 images" in capsys.readouterr().out
    assert pq.read_table(tmp_path / "f.parquet").equals(pq.read_table(tmp_path / "whole.parquet"))
    assert [path.name for path in tmp_path.glob("f.parquet*")] == ["f.parquet"]


def test_parts_of_other_images_are_not_taken_up(weights, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_features, "_join", lambda *given: folder_features.Embedded(0, ()))
    assert run(weights, folder, tmp_path / "f.parquet") == 0
    monkeypatch.undo()
    (folder / "000.png").unlink()
    assert run(weights, folder, tmp_path / "f.parquet") == 0
    assert sorted(read(tmp_path / "f.parquet")) == list(range(1, COUNT))


def test_an_unreadable_image_is_left_out_and_told(weights, folder, tmp_path, capsys):
    (folder / "broken.png").write_bytes((folder / "000.png").read_bytes()[:40])
    assert run(weights, folder, tmp_path / "f.parquet") == 0
    assert len(read(tmp_path / "f.parquet")) == COUNT
    assert "broken.png" in capsys.readouterr().err


def test_a_finished_file_stays_and_another_is_not_overwritten(weights, folder, tmp_path, capsys):
    to = tmp_path / "f.parquet"
    assert run(weights, folder, to) == 0
    before = to.stat().st_mtime_ns
    assert run(weights, folder, to) == 0
    assert "done already" in capsys.readouterr().out
    (folder / "000.png").unlink()
    assert run(weights, folder, to) == 1
    assert "name another file" in capsys.readouterr().err
    assert to.stat().st_mtime_ns == before


def test_what_is_no_weights_or_has_no_images_is_refused(weights, folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for given, images, said in (
        (tmp_path / "empty", folder, "neither an export nor a finished pretraining"),
        (weights, tmp_path / "empty", "has no image in it"),
        (weights, tmp_path / "nowhere", "no such folder"),
    ):
        assert run(given, images, tmp_path / "f.parquet") == 1
        assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("f.parquet*"))
