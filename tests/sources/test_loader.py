"""Both ways of feeding give the same batches: exact epochs, ranks that share a batch, and any step to start from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from source_tools import TOY, cut_two, toy_source
from torch import Tensor

from pipelines.batch import Batch
from pipelines.errors import InputError
from pipelines.sources.arrays import resident
from pipelines.sources.loader import Resident, Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import open_shards
from pipelines.sources.shards import build_shards


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shards")
    build_shards(toy_source(), TOY, out)
    return out


def same(one: Batch, other: Batch) -> bool:
    assert one.images is not None
    assert other.images is not None
    pairs = ((one.images, other.images), (one.index, other.index), (one.label, other.label))
    return all(torch.equal(a, b) for a, b in pairs) and one.captions == other.captions


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 2, 7])
@pytest.mark.parametrize("part", ["all", "pretraining"])
def test_streaming_gives_residents_batches_with_any_number_of_workers(folder: Path, workers: int, part: str) -> None:
    shards = open_shards(folder)  # five shards: seven workers are more than shards
    subset = shards.pretraining if part == "pretraining" else None
    order = Order(batch_size=4, seed=3)
    inside, streamed = (
        Resident(resident(shards, "train"), order, subset=subset),
        Streaming(shards, order, subset=subset, workers=workers),
    )
    assert (inside.num_samples, inside.steps_per_epoch) == (streamed.num_samples, streamed.steps_per_epoch)
    try:
        for epoch, first in ((0, 0), (1, 0), (1, 2)):
            pairs = list(zip(inside.epoch(epoch, first), streamed.epoch(epoch, first), strict=True))
            assert len(pairs) == inside.steps_per_epoch - first
            assert all(same(one, other) for one, other in pairs)
    finally:
        streamed.close()


def test_a_batch_holds_the_rows_its_index_names(folder: Path) -> None:
    shards = open_shards(folder)
    arrays, subset = resident(shards, "train"), shards.pretraining
    seen = []
    for batch in Resident(arrays, Order(batch_size=6, seed=0), subset=subset).epoch(0):
        rows = subset[batch.index.numpy()]
        assert batch.images is not None
        assert np.array_equal(batch.images.numpy(), arrays.images[rows])
        assert np.array_equal(batch.label.numpy(), arrays.labels[rows])
        seen += batch.index.tolist()
    assert len(set(seen)) == len(seen) == len(subset) // 6 * 6
    assert set(seen) <= set(range(len(subset)))


def test_an_epoch_is_a_permutation_that_the_seed_and_the_epoch_decide() -> None:
    order = Order(batch_size=5, seed=0, drop_last=False)
    epochs = [torch.cat(list(order.batches(23, epoch))).tolist() for epoch in range(3)]
    assert all(sorted(epoch) == list(range(23)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert torch.cat(list(Order(batch_size=7, seed=0, drop_last=False).batches(23, 0))).tolist() == epochs[0]
    assert torch.cat(list(Order(batch_size=5, seed=1, drop_last=False).batches(23, 0))).tolist() != epochs[0]
    in_order = Order(batch_size=5, seed=0, shuffle=False, drop_last=False)
    assert torch.cat(list(in_order.batches(23, 4))).tolist() == list(range(23))


def test_a_start_in_mid_epoch_gives_the_tail_of_the_epoch() -> None:
    order = Order(batch_size=5, seed=0)
    whole = list(order.batches(23, 1))
    assert len(whole) == order.steps_per_epoch(23) == 4
    for first in range(5):
        tail = list(order.batches(23, 1, first))
        assert len(tail) == 4 - first
        assert all(torch.equal(a, b) for a, b in zip(tail, whole[first:]))


@pytest.mark.parametrize("drop_last", [True, False])
def test_ranks_share_each_global_batch(drop_last: bool) -> None:
    alone = list(Order(batch_size=6, seed=2, drop_last=drop_last).batches(23, 0))
    ranks = [
        list(Order(batch_size=6, seed=2, rank=r, world_size=2, drop_last=drop_last).batches(23, 0)) for r in (0, 1)
    ]
    assert len(ranks[0]) == len(ranks[1]) == len(alone)
    for whole, first, second in zip(alone, *ranks):
        assert torch.equal(torch.cat([first, second]), whole)
        assert abs(len(first) - len(second)) <= 1


def test_crops_do_not_depend_on_workers_ranks_or_the_step_started_from(folder: Path) -> None:
    shards = open_shards(folder)

    def crops(workers: int, first_step: int = 0, epoch: int = 0, **ranks: int) -> dict[int, Tensor]:
        stream = Streaming(shards, Order(batch_size=4, seed=5, **ranks), cut=cut_two, workers=workers)
        found = {}
        for batch in stream.epoch(epoch, first_step):
            assert batch.images is None
            assert batch.crops is not None
            assert [crop.shape[1:] for crop in batch.crops] == [(3, 4, 4), (3, 2, 2)]
            found |= dict(zip(batch.index.tolist(), batch.crops[0]))
        stream.close()
        return found

    one = crops(0)
    assert len(one) == 20
    arrays = resident(shards, "train")
    for position, crop in one.items():
        image = torch.from_numpy(arrays.images[position])
        assert any(torch.equal(image[:, top : top + 4, left : left + 4], crop) for top in range(3) for left in range(3))
    for other in (crops(2), crops(0, first_step=2), crops(1, rank=1, world_size=2)):
        assert other
        assert all(torch.equal(one[position], crop) for position, crop in other.items())
    again = crops(0, epoch=1)
    assert any(not torch.equal(one[position], crop) for position, crop in again.items() if position in one)


def test_an_epoch_left_early_does_not_disturb_the_next(folder: Path) -> None:
    shards, order = open_shards(folder), Order(batch_size=4, seed=3)
    inside, streamed = Resident(resident(shards, "train"), order), Streaming(shards, order, workers=2)
    next(iter(streamed.epoch(0)))
    assert all(same(one, other) for one, other in zip(inside.epoch(1), streamed.epoch(1), strict=True))
    streamed.close()


def test_loading_draws_nothing_from_the_global_generator(folder: Path) -> None:
    shards, order = open_shards(folder), Order(batch_size=4, seed=3)
    before = torch.get_rng_state()
    stream = Streaming(shards, order, workers=1, cut=cut_two)
    list(stream.epoch(0))
    stream.close()
    list(Resident(resident(shards, "train"), order).epoch(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_grey_images_keep_their_one_channel(tmp_path: Path) -> None:
    build_shards(toy_source(shape=(6, 6)), TOY, tmp_path)
    shards, order = open_shards(tmp_path), Order(batch_size=4, seed=3)
    for loader in (Resident(resident(shards, "train"), order), Streaming(shards, order, workers=0)):
        batch = next(iter(loader.epoch(0)))
        assert batch.images is not None
        assert batch.images.shape == (4, 1, 6, 6)


def test_batches_that_cannot_be_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"training\.batch_size: 6 images a step cannot be shared evenly by 4 processes"
    ):
        Order(batch_size=6, seed=0, world_size=4)
    with pytest.raises(InputError, match=r"training\.batch_size: 32 is more than the 23 images"):
        Order(batch_size=32, seed=0).steps_per_epoch(23)
    assert Order(batch_size=32, seed=0, drop_last=False).steps_per_epoch(23) == 1


def test_streaming_checks_the_shards_before_it_uses_them(tmp_path: Path) -> None:
    build_shards(toy_source(), TOY, tmp_path)
    path = tmp_path / "train-000001.tar"
    data = path.read_bytes()
    path.write_bytes(data[:700] + bytes([data[700] ^ 1]) + data[701:])
    with pytest.raises(InputError, match=r"train-000001\.tar: SHA-256"):
        Streaming(open_shards(tmp_path), Order(batch_size=4, seed=3), workers=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_batches_on_a_gpu_are_those_on_the_cpu(folder: Path) -> None:
    shards, order = open_shards(folder), Order(batch_size=4, seed=3)
    for make in (lambda device: Resident(resident(shards, "train"), order, device),
                 lambda device: Streaming(shards, order, device, workers=1)):  # fmt: skip
        for one, other in zip(make("cpu").epoch(0), make("cuda").epoch(0), strict=True):
            assert other.images is not None
            assert other.images.is_cuda
            assert torch.equal(one.images, other.images.cpu())  # type: ignore[arg-type]
            assert torch.equal(one.index, other.index.cpu())
