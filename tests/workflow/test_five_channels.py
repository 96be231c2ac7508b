"""Images of five channels all the way: packed, trained on in both ways of reading, measured, embedded and reported."""

import io
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file
from study_tools import Made

from pipelines.building.devices import chosen_device
from pipelines.building.features import embedded, source_of
from pipelines.building.methods import Pretrained
from pipelines.cli import main
from pipelines.sources.arrays import resident
from pipelines.sources.index import load_index
from pipelines.sources.reader import open_shards

tifffile = pytest.importorskip("tifffile")
REPORTS = Path(__file__).parents[2] / "reports"
STUDY = """
question: Do images of five channels come through?
dataset: {{use: imagefolder, name: bands, folder: "{root}/bands", channels: 5, image_size: 16}}
encoder: {{use: resnet, depth: 10, width: 4, stem: small}}
views: {{grayscale: 0, jitter: [0.4, 0.4, 0, 0]}}
methods:
  - {{use: simclr, label: random, training: {{data: streaming}}}}
  - {{use: simclr, label: in_turn, training: {{data: streaming, reading: {{order: sequential, buffer: 4}}}}}}
  - {{use: mae, label: mae, encoder: {{use: vit, size: micro, patch: 4}}}}
seeds: [0]
training: {{epochs: 1, batch_size: 8, precision: float32, online_knn_epochs: 1}}
evaluation:
  - {{use: knn, k: 3}}
  - {{use: linear, least_steps: 10, epochs: 1}}
  - {{use: linear_augmented, epochs: 1, batch_size: 8, lrs: [0.1, 1.0]}}
  - {{use: finetune, epochs: 1}}
floors: false
"""
SIDE = 16


def bands(root: Path) -> None:
    """Two classes that differ in the fifth channel alone, as arrays of 16 bits and as TIFFs of 8."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for number, name in enumerate(("dark", "bright")):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(100, 156, (SIDE, SIDE, 5), dtype=np.uint8)
                pixels[..., 4] = generator.integers(0, 40, (SIDE, SIDE)) + 200 * number
                file = root / split / name / f"{i}"
                if i % 2:
                    np.save(file.with_suffix(".npy"), pixels.astype(np.uint16) * 257)
                else:
                    buffer = io.BytesIO()
                    tifffile.imwrite(buffer, pixels, planarconfig="contig", photometric="minisblack")
                    file.with_suffix(".tif").write_bytes(buffer.getvalue())


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """Everything run, and the report written."""
    root = tmp_path_factory.mktemp("five")
    bands(root / "bands")
    made = Made.of(STUDY.format(root=root), root)
    made.run(*made.plan.of("pretrain"))
    assert main(["evaluate", "--job", *(str(job.folder(made.results)) for job in made.plan.of("evaluate"))]) == 0
    study = made.results / "study"
    for stage, more in (("collect", []), ("report", ["--texts", str(REPORTS)])):
        where = ["--plan", str(study / "plan.json"), "--results", str(made.results), "--out", str(study)]
        assert main([stage, *where, *more]) == 0
    return made


def test_shards_know_five_channels_and_scale_both_depths_alike(made):
    index = load_index(made.shards())
    assert (index.input_channels, len(index.mean), len(index.std), index.unreadable) == (5, 5, 5, ())
    assert all(mean == pytest.approx(127.5 / 255, abs=0.01) for mean in index.mean[:4])
    shards = open_shards(made.shards())
    fifth = np.asarray(resident(shards, "test").images)[:, 4].mean((1, 2))
    assert np.array_equal(fifth < 100, shards.table("test").label == index.classes.index("dark"))


@pytest.mark.parametrize("label", ["random", "in_turn", "mae"])
def test_each_way_of_reading_trains_an_encoder_of_five_channels(made, label):
    job = made.one("pretrain", label)
    assert all(math.isfinite(value) for value in made.record(job)["metrics"].values())
    weights = load_file(job.folder(made.results) / "encoder.safetensors")
    first = {"mae": "patch_embed.proj.weight"}.get(label, "conv1.weight")
    assert weights[first].shape[1] == 5


def test_every_protocol_has_finite_numbers(made):
    for job in made.plan.of("evaluate"):
        metrics = made.record(job)["metrics"]
        assert any(name.startswith("test/") for name in metrics)
        assert all(math.isfinite(value) for value in metrics.values()), (job.key, metrics)


def test_the_fifth_channel_reaches_the_features_of_images_without_a_study(made, tmp_path):
    weights = made.one("pretrain", "random").folder(made.results)
    folder = made.results.parent / "bands" / "test"
    assert main(["embed-images", str(weights), str(folder), "--to", str(tmp_path / "f.parquet")]) == 0
    table = pq.read_table(tmp_path / "f.parquet")
    assert len(table) == 8
    shards = open_shards(made.shards())
    spec = made.one("evaluate", "random", use="knn").spec
    expected = embedded(source_of(spec, shards, Pretrained.left(weights)), shards, chosen_device()).test.numpy()
    found = np.array(table["features"].to_pylist(), np.float32)
    assert np.allclose(np.sort(found, axis=0), np.sort(expected, axis=0), atol=1e-5)


def test_the_report_tells_the_channels_and_misses_nothing(made):
    page = (made.results / "study" / "report.html").read_text(encoding="utf-8")
    assert "channel 5" in page
    assert "have no record" not in page
