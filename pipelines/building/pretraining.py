"""One pretraining, put together from its spec; shared by the stages pretrain and tune."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines import distributed
from pipelines.building.devices import chosen_device, data_workers
from pipelines.building.images import Wanted, fits, in_order, loader, plain_views
from pipelines.building.methods import begun, facts_of, fresh_method
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.evaluation import knn
from pipelines.evaluation.features import pooled_features
from pipelines.sources.arrays import resident
from pipelines.sources.encoded import Decode
from pipelines.sources.loader import Resident, Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet
from pipelines.sources.sequential import Sequential
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.jobs import PretrainSpec
from pipelines.spec.training import Training
from pipelines.spec.views import Views
from pipelines.training.loop import Evaluate, MakeViews, Trainer
from pipelines.training.memory import keep_freed_memory
from pipelines.views.crops import cutter
from pipelines.views.maker import ViewMaker
from pipelines.views.peer import PeerViews

ONLINE_BANK = 10_000
"""Most images in the bank of the online kNN."""


def trainer(
    spec: PretrainSpec,
    shards: ShardSet,
    out: Path | None,
    stop: Callable[[], bool] = lambda: False,
    rows: NDArray[np.int64] | None = None,
    job: str = "",
    say: Callable[[str], None] = lambda _: None,
    restarts: int = 0,
) -> Trainer:
    """A trainer for a pretraining spec on these shards, ready to fit; InputError when spec and shards do not go together.

    rows: sorted positions in train to learn from; none: all that are not held out. job: name that checkpoints carry.
    say: called with a line now and then. restarts: how often it has gone back to a checkpoint.
    """
    keep_freed_memory()
    rows = shards.pretraining if rows is None else rows
    device, facts = chosen_device(), replace(facts_of(shards), num_samples=len(rows))
    try:  # planning knew the size of known data sets only
        spec.method.check(spec.training, spec.encoder, facts.num_samples)
        spec.training.reading.check()
    except ValueError as error:
        raise InputError(f"{shards.folder}: {spec.method.use}: {error}") from None
    names = shards.ids("train")
    return Trainer(
        method=begun(fresh_method(spec.method, spec.encoder, facts, spec.seed), spec.start),
        data=_data(spec, shards, rows, device),
        make_views=view_maker(spec, shards),
        training=spec.training,
        seed=spec.seed,
        device=device,
        out=out,
        job=job,
        evaluate=online_knn(shards, spec.views, spec.training, device),
        stop=stop,
        sound=lambda: shards.check_unchanged("train"),
        say=say,
        restarts=restarts,
        ids=[names[row] for row in rows.tolist()],
    )


def view_maker(spec: PretrainSpec, shards: ShardSet) -> MakeViews:
    """Ours, or for a peer that has its own transforms one that calls those."""
    index, peer = shards.index, spec.method.peer_transforms
    if peer is None:
        return ViewMaker(spec.views, index.image_size, index.mean, index.std, index.input_channels)
    theirs = importlib.import_module(f"pipelines.views.{peer.package}")  # which need not be installed
    return PeerViews(theirs.transform_of(peer.method, spec.views, index.image_size, index.mean, index.std))


def _data(
    spec: PretrainSpec, shards: ShardSet, rows: NDArray[np.int64], device: torch.device
) -> Resident | Streaming | Sequential:
    training = spec.training
    order = Order(
        batch_size=training.batch_size, seed=spec.seed, rank=distributed.rank(), world_size=distributed.world_size()
    )
    sequential = training.reading.order == "sequential"
    whole = training.data == "resident" or (training.data == "auto" and fits(shards, training.resident_gib))
    if whole and not sequential:
        return Resident(resident(shards, "train"), order, device, rows)
    if peer := spec.method.peer_transforms:
        raise InputError(
            f"{shards.folder}: {spec.method.short_name}: {peer.package}'s transforms cut from whole images, and these are "
            f"more than resident_gib ({training.resident_gib:g}), or read in sequence; raise training.resident_gib, read them "
            "by random access, or set the method's transforms: ours"
        )
    cut, workers = cutter(spec.views, shards.index.image_size), data_workers(training.workers)
    decode: Decode | None = None
    if training.decode == "gpu":
        if device.type == "cpu":
            raise InputError(
                "training.decode: gpu: there is no GPU here; set it to cpu, which gives slightly other pixels"
            )
        decode = importlib.import_module("pipelines.sources.gpu_decoding").GpuDecoder(device)
    if sequential:
        return Sequential(shards, order, training.reading, device, rows, cut=cut, workers=workers, decode=decode)
    return Streaming(shards, order, device, rows, cut=cut, workers=workers, decode=decode)


def by_all(rows: NDArray[np.int64], embed: Callable[[NDArray[np.int64]], Tensor], device: torch.device) -> Tensor:
    """(n, F) on the CPU: ``embed`` of all rows (n,), of which every process made a block.

    All blocks are of one size, since a sharded encoder runs on all processes or on none: the last row fills them up.
    """
    world = distributed.world_size()
    if world == 1:
        return embed(rows)
    each = -(-len(rows) // world)
    mine = np.minimum(distributed.rank() * each + np.arange(each), len(rows) - 1)
    return distributed.gather(embed(rows[mine]).to(device)).cpu()[: len(rows)]


def online_knn(shards: ShardSet, recipe: Views, training: Training, device: torch.device) -> Evaluate | None:
    """Weighted kNN of the labelled held-out images among the rest of train (at most ``ONLINE_BANK`` of it, evenly spaced).

    None where nothing is held out or labelled.
    """
    rest = shards.pretraining
    bank = rest[:: max(1, -(-len(rest) // ONLINE_BANK))]
    rows = np.sort(np.concatenate([bank, shards.holdout]))
    labels = torch.as_tensor(shards.table("train").label[rows])
    held = torch.as_tensor(np.isin(rows, shards.holdout))
    votes, asked = (labels >= 0) & ~held, (labels >= 0) & held

    def embed(encoder: Encoder, some: NDArray[np.int64]) -> Tensor:
        gib, workers = training.resident_gib, training.workers
        data = loader(shards, "train", in_order(), device, subset=some, gib=gib, workers=workers)
        return pooled_features(encoder, plain_views(data, Wanted.of(shards, recipe), device), device)

    def evaluate(encoder: Encoder) -> dict[str, float]:
        features = by_all(rows, partial(embed, encoder), device)
        found = knn.accuracy(
            Knn(k=min(Knn().all_k[0], int(votes.sum()))),
            features[votes],
            labels[votes],
            features[asked],
            labels[asked],
            len(shards.class_names),
        )
        return {"eval/online_knn": found["top1"]}

    return evaluate if bool(asked.any()) and bool(votes.any()) else None
