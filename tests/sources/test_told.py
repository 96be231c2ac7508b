"""What the shards' record tells of a data set before anything is trained on it."""

from pathlib import Path

import pytest
from source_tools import make_folder

from pipelines.cli import main
from pipelines.files import write_json
from pipelines.records import Record, read_record
from pipelines.sources.index import Index, load_index
from pipelines.spec.datasets.imagefolder import Options as ImageFolder


def packed(tmp_path: Path, options: ImageFolder) -> tuple[Record, Index]:
    """The record and index that the stage leaves."""
    job = tmp_path / "results" / "jobs" / "shards" / "x"
    spec = {"dataset": options.model_dump(mode="json")}
    write_json(job / "spec.json", {"stage": "shards", "key": "x", "inputs": {}, "spec": spec})
    assert main(["shards", "--job", str(job)]) == 0
    return read_record(job), load_index(job)


def split_folder(root: Path, train: dict[str, int], test: dict[str, int]) -> ImageFolder:
    make_folder(root / "train", train, seed=0)
    make_folder(root / "test", test, seed=100)
    return ImageFolder(name="toy", folder=str(root))


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
