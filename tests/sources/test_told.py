"""What the shards' record tells of a data set before anything is trained on it."""

from pathlib import Path

import pytest
import torch
from source_tools import encoded, make_folder, noise

from pipelines.batch import Batch
from pipelines.building.images import plain_recipe
from pipelines.cli import main
from pipelines.randomness import generator
from pipelines.records import Record, read_record
from pipelines.sources import looking
from pipelines.sources.index import Index, load_index
from pipelines.spec.datasets.imagefolder import Options as ImageFolder
from pipelines.spec.job import Job
from pipelines.spec.jobs import ShardsSpec
from pipelines.spec.views import Views
from pipelines.spec.writing import write_spec
from pipelines.views.maker import ViewMaker

LOOKED_AT = """
question: q
dataset: {{use: imagefolder, name: toy, folder: {folder}, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 8, stem: small}}
methods: [{{use: simclr}}]
seeds: [0]
training: {{epochs: 1, batch_size: 8}}
evaluation: [{{use: knn, k: 3}}]
"""


def packed(tmp_path: Path, options: ImageFolder) -> tuple[Record, Index]:
    """The record and index that the stage leaves."""
    job, results = Job.of("x", ShardsSpec(dataset=options), {}), tmp_path / "results"
    write_spec(job, results)
    folder = job.folder(results)
    assert main(["shards", "--job", str(folder)]) == 0
    return read_record(folder), load_index(folder)


def split_folder(root: Path, train: dict[str, int], test: dict[str, int]) -> ImageFolder:
    make_folder(root / "train", train, seed=0)
    make_folder(root / "test", test, seed=100)
    return ImageFolder(name="toy", folder=str(root))


@pytest.mark.parametrize("leak", [0, 2])
def test_look_tells_equal_images_before_anything_is_packed(tmp_path: Path, capsys, monkeypatch, leak: int) -> None:
    split_folder(tmp_path / "raw", {"a": 6, "b": 6}, {"a": 4, "b": 4})
    raw, study = tmp_path / "raw", tmp_path / "x.yaml"
    for number in range(leak):
        (raw / f"test/b/copy{number}.png").write_bytes((raw / "train/a/000.png").read_bytes())
    study.write_text(LOOKED_AT.format(folder=raw))
    assert main(["look", str(study)]) == 0
    told = capsys.readouterr().out
    if leak:
        assert (
            "equal images: 1 repeated in test, 2 of test that are in train too (test/b/copy0.png is train/a/000.png; "
            in told
        )
        assert "take them out of one of the two" in told
    else:
        assert "equal images: none\n" in told
    monkeypatch.setattr(looking, "MOST_COMPARED", 19)
    assert main(["look", str(study)]) == 0
    assert "equal images: not compared here, of 2" in capsys.readouterr().out


@pytest.mark.parametrize("leak", [0, 2])
def test_equal_images_are_counted_and_those_across_splits_flagged(tmp_path: Path, leak: int) -> None:
    options = split_folder(tmp_path / "raw", {"a": 6, "b": 6}, {"a": 4, "b": 4})
    raw = tmp_path / "raw"
    (raw / "train/a/again.png").write_bytes((raw / "train/a/000.png").read_bytes())
    for number in range(leak):
        (raw / f"test/b/copy{number}.png").write_bytes((raw / "train/a/000.png").read_bytes())
    record, index = packed(tmp_path, options)
    derived = record.derived
    counts = [derived[name] for name in ("equal_images_in_train", "equal_images_in_test", "test_images_in_train")]
    assert counts == [1, max(0, leak - 1), leak]
    assert ("test_images_in_train" in record.flags) == bool(leak)
    found = {(test, train.partition("/")[0]) for test, train in index.equal["examples"]}
    assert found == {(f"test/b/copy{number}.png", "train") for number in range(leak)}


def test_a_class_of_one_image_and_one_missing_from_test_are_told_by_name(tmp_path: Path) -> None:
    options = make_folder(tmp_path / "raw", {"many": 20, "single": 1})
    record, index = packed(tmp_path, options)
    assert record.derived["classes_of_one_image"] == "1: single"
    assert record.derived["classes_missing_from_test"] == "1: single"
    assert record.derived["classes_missing_from_train"] is None
    assert {"classes_of_one_image", "classes_missing_from_test"} <= set(record.flags)
    assert index.class_counts == {"train": [16, 1], "test": [4, 0], "holdout": [2, 0]}


def test_one_class_is_told_and_not_measured_on(tmp_path: Path) -> None:
    options = make_folder(tmp_path / "raw", {"all": 10})
    record, _ = packed(tmp_path, options)
    assert "one_class" in record.flags
    assert options.without_labels


def test_a_constant_channel_is_named_and_stays_finite(tmp_path: Path) -> None:
    images = noise(20, 8, 8, 3)
    images[..., 2] = 77
    (tmp_path / "raw").mkdir()
    for number, pixels in enumerate(images):
        (tmp_path / "raw" / f"{number}.png").write_bytes(encoded(pixels))
    record, index = packed(tmp_path, ImageFolder(name="toy", folder=str(tmp_path / "raw")))
    assert "constant_channel:blue" in record.flags
    assert (index.std[2], record.derived["constant_channels"]) == (0.0, "blue")
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    batch = Batch(pixels, torch.arange(20), torch.zeros(20).long())
    (view,) = ViewMaker(plain_recipe(Views()), 8, index.mean, index.std)(batch, generator(0, "test"))
    assert bool(view.isfinite().all())
    assert view[:, 2].abs().max() < 1e-6
