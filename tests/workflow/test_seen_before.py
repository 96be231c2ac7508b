"""Test images of a target that pretraining on another data set has seen: told by plan, evaluation, record and report."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from study_tools import Made

from pipelines.cli import main
from pipelines.spec.seen_before import SeenBefore, seen_before

STUDY = """
question: q
datasets:
  - {{use: digits, limit: 100}}
  - {{use: imagefolder, name: other, folder: {folder}, role: target}}
encoder: {{use: vit, size: micro, patch: 4}}
methods: [{{use: moco, queue_size: 64, label: moco}}]
seeds: [0]
training: {{batch_size: 64, epochs: 1, precision: float32}}
evaluation: [{{use: knn, k: 3}}]
"""
SEEN = 2


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """The target's test split holds files of digits: some that training sees, and one that is held out of it."""
    folder = tmp_path_factory.mktemp("seen")
    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        for split, count in (("train", 8), ("test", 4)):
            (folder / "other" / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 255, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / "other" / split / name / f"{i}.png")
    alone = Made.of(STUDY.format(folder=folder / "other"), folder)
    digits = folders(alone)[0]
    held = set(index_of(digits)["holdout"])
    seen = [row for row in range(100) if row not in held][:SEEN]
    images = packed_images(digits)
    for number, row in enumerate([*seen, min(held)]):
        (folder / "other/test/b" / f"copy{number}.png").write_bytes(images[row])
    again = tmp_path_factory.mktemp("seen-again")
    return Made.of(STUDY.format(folder=folder / "other"), again)


def packed_images(folder: Path) -> list[bytes]:
    """The stored bytes of train, in its order."""
    found = []
    for shard in index_of(folder)["splits"]["train"]:
        with tarfile.open(folder / shard["name"]) as tar:
            found += [tar.extractfile(member).read() for member in tar if member.name.endswith(".png")]
    return found


def index_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "index.json").read_text())


def folders(made: Made):
    return [job.folder(made.results) for job in made.plan.of("shards")]


def test_equal_bytes_are_counted_without_those_held_out_of_pretraining(made):
    digits, other = folders(made)
    found = seen_before(digits, other)
    assert (found.count, found.of) == (SEEN, 11)
    assert [name for name, _ in found.examples] == ["test/b/copy0.png", "test/b/copy1.png"]
    assert "2 of 11" in found.words
    asked = sum(shard["count"] for shard in index_of(digits)["splits"]["test"])
    assert seen_before(other, digits) == SeenBefore(0, asked, ())


def test_without_notes_nothing_is_claimed(made, tmp_path):
    digits, _ = folders(made)
    (tmp_path / "index.json").write_text((digits / "index.json").read_text())
    assert seen_before(digits, tmp_path) is None


def test_it_is_told_before_a_number_is_printed(made, capsys):
    made.run(*made.plan.of("pretrain"))
    assert main(["plan", str(made.results.parent / "study.yaml"), "--results", str(made.results)]) == 0
    assert "test images that pretraining on digits-100 sees: 2 of 11" in capsys.readouterr().out
    for job in made.plan.of("evaluate"):
        made.run(job)
        told, record = capsys.readouterr().err, made.record(job)
        leaks = "weights" in job.inputs and job.spec.dataset.short_name == "other"
        assert ("test images that pretraining has seen" in told) == leaks
        assert record["derived"].get("test_images_pretrained_on") == (SEEN if leaks else None)
        assert ("test_images_pretrained_on" in record["flags"]) == leaks
    out = made.results / "study"
    plan = str(out / "plan.json")
    assert main(["report", "--plan", plan, "--results", str(made.results), "--out", str(out)]) == 0
    page = (out / "report.html").read_text()
    assert "2 are among those of digits-100 that methods were pretrained on" in page
    assert "test images pretrained on" in page
