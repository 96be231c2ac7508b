"""Sequential reading: every image once, one order for any ranks and workers, and a start in mid epoch that opens little."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from source_tools import TOY, cut_two, encoded, noise, toy_source
from trainer_tools import SIDE, equal, small_method, small_options, weights

from pipelines.batch import Batch
from pipelines.errors import InputError
from pipelines.sources import sequential, stream
from pipelines.sources.arrays import resident
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.index import load_index
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
from pipelines.sources.sequential import Sequential
from pipelines.sources.shards import build_shards
from pipelines.sources.streams import Streams, pieces
from pipelines.spec.reading import Reading
from pipelines.spec.training import Training
from pipelines.training.loop import Stopped, Trainer
from pipelines.views.maker import ViewMaker

TRAIN, BATCH = 83, 8
READING = Reading(order="sequential", buffer=6)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve tars of seven images, the last one of six."""
    out = tmp_path_factory.mktemp("shards")
    build_shards(toy_source(TRAIN), TOY.model_copy(update={"per_shard": 7}), out)
    return out


def read(
    folder: Path, epoch: int = 0, first: int = 0, workers: int = 0, reading: Reading = READING, **how
) -> list[Batch]:
    order = Order(batch_size=how.pop("batch", BATCH), seed=how.pop("seed", 4), **how)
    data = Sequential(open_shards(folder), order, reading, workers=workers)
    try:
        return list(data.epoch(epoch, first))
    finally:
        data.close()


def positions(batches: list[Batch]) -> list[list[int]]:
    return [batch.index.tolist() for batch in batches]


def flat(batches: list[Batch]) -> list[int]:
    return [position for batch in batches for position in batch.index.tolist()]


def test_an_epoch_has_every_image_once_but_for_the_rest_that_fills_no_batch(folder: Path) -> None:
    arrays, left_out = resident(folder, "train"), []
    for epoch in range(4):
        batches = read(folder, epoch)
        seen = flat(batches)
        assert len(seen) == len(set(seen)) == TRAIN // BATCH * BATCH
        for batch in batches:
            assert batch.images is not None
            assert np.array_equal(batch.images.numpy(), arrays.images[batch.index.numpy()])
            assert np.array_equal(batch.label.numpy(), arrays.labels[batch.index.numpy()])
        left_out.append(frozenset(range(TRAIN)) - set(seen))
    assert len(set(left_out)) == 4
    orders = [flat(read(folder, epoch)) for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert flat(read(folder, 0, seed=5)) != orders[0]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [1, 3, 20])
def test_the_order_does_not_depend_on_workers(folder: Path, workers: int) -> None:
    data = Sequential(open_shards(folder), Order(batch_size=BATCH, seed=4), READING, workers=workers)
    for epoch, first in ((0, 0), (1, 0), (1, 3)):
        ours, alone = list(data.epoch(epoch, first)), read(folder, epoch, first)
        assert positions(ours) == positions(alone)
        for one, other in zip(ours, alone, strict=True):
            assert torch.equal(one.images, other.images)  # type: ignore[arg-type]
            assert torch.equal(one.label, other.label)
    data.close()


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_read_slices_of_the_same_batches(folder: Path, world: int) -> None:
    alone = positions(read(folder, 1, 2))
    ranks = [positions(read(folder, 1, 2, rank=rank, world_size=world)) for rank in range(world)]
    assert [[position for part in parts for position in part] for parts in zip(*ranks, strict=True)] == alone


def test_processes_that_cannot_share_the_streams_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"batches of 6 images are read as 2 streams .* which 3 processes cannot"):
        read(folder, batch=6, world_size=3)


def test_a_subset_counts_positions_inside_of_itself(folder: Path) -> None:
    shards = open_shards(folder)
    data = Sequential(shards, Order(batch_size=4, seed=0), READING, subset=shards.pretraining, workers=0)
    arrays, seen = resident(shards, "train"), []
    for batch in data.epoch(0):
        assert batch.images is not None
        assert np.array_equal(batch.images.numpy(), arrays.images[shards.pretraining[batch.index.numpy()]])
        seen += batch.index.tolist()
    assert len(set(seen)) == len(seen) == len(shards.pretraining) // 4 * 4


class Watch:
    """Which tars are opened, how many of their samples come out, and how many images are decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tars: list[str] = []
        self.samples = self.decoded = 0
        opened, grouped, decode = sequential.Tars.opened, sequential.group_by_keys, stream.whole

        def open_tar(tars, shard, start, stop):
            self.tars.append(shard.name)
            return opened(tars, shard, start, stop)

        def group(files) -> Iterator[dict]:
            for sample in grouped(files):
                self.samples += 1
                yield sample

        def decoded(*given):
            self.decoded += 1
            return decode(*given)

        monkeypatch.setattr(sequential.Tars, "opened", open_tar)
        monkeypatch.setattr(sequential, "group_by_keys", group)
        monkeypatch.setattr(stream, "whole", decoded)


@pytest.mark.parametrize("first", range(11))
def test_a_start_in_mid_epoch_gives_the_rest_and_reads_no_image_that_was_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    whole = read(folder, 1)
    watch = Watch(monkeypatch)
    rest = read(folder, 1, first)
    assert positions(rest) == positions(whole)[first:]
    shards = open_shards(folder).table("train").shard
    assert set(watch.tars) == {f"train-{shards[position]:06d}.tar" for position in flat(rest)}
    assert watch.samples == watch.decoded == len(flat(rest))


def test_a_stream_gives_webdatasets_order_over_stretches_of_whole_tars(folder: Path) -> None:
    """Undone, the buffers leave the line: tar after tar, each from front to back, and each image at most a buffer late."""
    shard = open_shards(folder).table("train").shard
    streams = Streams(Order(batch_size=BATCH, seed=4), READING.buffer)
    line = streams.line(shard, 1)
    assert sorted(line.tolist()) == list(range(TRAIN))
    assert len(pieces(line, shard)) <= len(set(shard.tolist())) + 1
    given = np.array(flat(read(folder, 1))).reshape(-1, streams.count, streams.each)
    for stream_number in range(streams.count):
        part = streams.part(line, stream_number)
        ours = given[:, stream_number].ravel()
        assert sorted(ours) == sorted(part)
        early = [np.flatnonzero(part == position)[0] - place for place, position in enumerate(ours)]
        assert max(early) < READING.buffer


def test_crops_are_those_of_random_reading(folder: Path) -> None:
    shards, order = open_shards(folder), Order(batch_size=BATCH, seed=5)
    by_offset = stream.TarSamples(stream.Developer(shards, "train", 5, cut_two, None), shards.paths("train"))
    data = Sequential(shards, order, READING, cut=cut_two, workers=2)
    for batch in data.epoch(2):
        expected = by_offset[(2, batch.index.tolist())]["crops"]
        assert batch.crops is not None
        assert all(torch.equal(one, other) for one, other in zip(batch.crops, expected, strict=True))
    data.close()


def test_captions_and_fields_come_with_their_images(tmp_path: Path) -> None:
    images, depth = noise(12, 6, 6, 3), noise(12, 6, 6, seed=3)
    samples = [
        Sample(f"s.{n}", encoded(image), "png", -1, f"caption {n}", {"depth.png": encoded(depth[n])}, {"n": n})
        for n, image in enumerate(images)
    ]
    split = Split([sample.id for sample in samples], np.full(12, -1), lambda position: samples[position])
    build_shards(Source((), split, split), TOY, tmp_path)
    arrays = resident(tmp_path, "train")
    for workers in (0, 2):
        for batch in read(tmp_path, workers=workers, batch=4):
            rows = batch.index.numpy()
            assert batch.captions == [arrays.captions[row] for row in rows]  # type: ignore[index]
            assert np.array_equal(batch.fields["depth"].numpy(), arrays.fields["depth"][rows])


def test_an_epoch_left_early_does_not_disturb_the_next(folder: Path) -> None:
    data = Sequential(open_shards(folder), Order(batch_size=BATCH, seed=4), READING, workers=2)
    next(iter(data.epoch(0)))
    assert positions(list(data.epoch(1))) == positions(read(folder, 1))
    data.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_another_sample_in_a_tars_place_is_told_in_one_line(tmp_path: Path, workers: int) -> None:
    build_shards(toy_source(), TOY, tmp_path)
    shards = open_shards(tmp_path)
    data = Sequential(shards, Order(batch_size=4, seed=3), READING, workers=workers)
    names = [shard.name for shard in load_index(tmp_path).splits["train"]]
    first, second = ((tmp_path / name).read_bytes() for name in names[:2])
    (tmp_path / names[0]).write_bytes(second)  # after the checksums were compared
    (tmp_path / names[1]).write_bytes(first)
    with pytest.raises(InputError, match=r"train-00000[01]\.tar: sample \d+-train-\d+ is not where") as caught:
        list(data.epoch(0))
    assert "Traceback" not in str(caught.value)
    data.close()


def trainer(folder: Path, out: Path, workers: int, stop=lambda: False) -> Trainer:
    options = small_options("simclr")
    training = Training(
        epochs=2,
        batch_size=BATCH,
        precision="float32",
        monitor_steps=1,
        warmup_epochs=0.0,
        lr_per_256=0.1,
        reading=READING,
    )
    data = Sequential(open_shards(folder), Order(batch_size=BATCH, seed=0), READING, workers=workers)
    maker = ViewMaker(options.default_views(SIDE), SIDE, (0.5,) * 3, (0.25,) * 3)
    return Trainer(small_method(options), data, maker, training, 0, torch.device("cpu"), out, stop=stop)


def test_training_stopped_in_mid_epoch_goes_on_with_other_workers_to_the_same_weights(
    folder: Path, tmp_path: Path
) -> None:
    whole = trainer(folder, tmp_path / "whole", 2)
    derived = whole.fit().derived
    assert derived["reading"] == "sequential, 8 streams, buffer 6"
    calls = iter([False] * 14 + [True] * 100)
    with pytest.raises(Stopped, match=r"step 1[45] of 20"):
        trainer(folder, tmp_path / "stopped", 2, lambda: next(calls)).fit()
    resumed = trainer(folder, tmp_path / "stopped", 0)
    resumed.fit()
    assert equal(weights(whole.method), weights(resumed.method))


TWO_RANKS = """
import json, sys
from pathlib import Path
import torch, torch.distributed as dist
from pipelines import distributed
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
from pipelines.sources.sequential import Sequential
from pipelines.spec.reading import Reading
dist.init_process_group("gloo")
order = Order(batch_size=8, seed=4, rank=distributed.rank(), world_size=distributed.world_size())
data = Sequential(open_shards(Path(sys.argv[1])), order, Reading(order="sequential", buffer=6), workers=2)
steps = [distributed.gather(batch.index).tolist() for batch in data.epoch(1, 2)]
data.close()
if distributed.rank() == 0:
    print(json.dumps(steps))
dist.destroy_process_group()
"""


def test_two_processes_with_workers_give_one_processs_batches(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO_RANKS)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(script),
        str(folder),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(positions(read(folder, 1, 2)))
