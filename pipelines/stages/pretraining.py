"""One pretraining, put together from its spec; shared by the stages pretrain and tune."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines import distributed
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.evaluation import knn
from pipelines.evaluation.features import pooled_features
from pipelines.sources.arrays import resident
from pipelines.sources.loader import Resident, Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet
from pipelines.spec.evaluation import Knn
from pipelines.spec.methods import options_class
from pipelines.spec.parse import parse
from pipelines.spec.training import Training
from pipelines.spec.views import Views
from pipelines.stages.memory import keep_freed_memory
from pipelines.stages.parts import build_method, chosen_device, facts_of, fits, in_order, loader, plain_views
from pipelines.training.loop import Evaluate, Trainer
from pipelines.views.crops import cutter
from pipelines.views.maker import ViewMaker

ONLINE_BANK = 10_000
"""Most images in the bank of the online kNN."""


def trainer(
    spec: dict[str, Any], shards: ShardSet, out: Path | None, stop: Callable[[], bool] = lambda: False
) -> Trainer:
    """A trainer for a pretraining spec on these shards, ready to fit; InputError when spec and shards do not go together."""
    keep_freed_memory()
    training: Training = parse(Training, spec["training"], "training")
    recipe: Views = parse(Views, spec["views"], "views")
    device, facts = chosen_device(), facts_of(shards)
    options = parse(options_class(spec["method"]["use"]), spec["method"], "method")
    try:  # planning knew the size of known data sets only
        options.check(training, parse_encoder(spec), facts.num_samples)
    except ValueError as error:
        raise InputError(f"{shards.folder}: {spec['method']['use']}: {error}") from None
    index = shards.index
    return Trainer(
        method=build_method(spec, facts),
        data=_data(training, recipe, spec["seed"], shards, device),
        make_views=ViewMaker(recipe, index.image_size, index.mean, index.std),
        training=training,
        seed=spec["seed"],
        device=device,
        out=out,
        evaluate=online_knn(shards, recipe, training, device),
        stop=stop,
    )


def parse_encoder(spec: dict[str, Any]) -> Any:
    """The encoder options of a spec."""
    from pipelines.spec.encoders import AnyEncoder

    return parse(AnyEncoder, spec["encoder"], "encoder")


def _data(training: Training, recipe: Views, seed: int, shards: ShardSet, device: torch.device) -> Resident | Streaming:
    order = Order(
        batch_size=training.batch_size, seed=seed, rank=distributed.rank(), world_size=distributed.world_size()
    )
    whole = training.data == "resident" or (training.data == "auto" and fits(shards, training.resident_gib))
    if whole:
        return Resident(resident(shards, "train"), order, device, shards.pretraining)
    cut = cutter(recipe, shards.index.image_size)
    return Streaming(shards, order, device, shards.pretraining, cut=cut, workers=training.workers)


def online_knn(shards: ShardSet, recipe: Views, training: Training, device: torch.device) -> Evaluate | None:
    """Weighted kNN of the held-out slice among the rest of train (at most ``ONLINE_BANK`` of it, evenly spaced).

    None where nothing is held out or labelled.
    """
    rest = shards.pretraining
    bank = rest[:: max(1, -(-len(rest) // ONLINE_BANK))]
    rows = np.sort(np.concatenate([bank, shards.holdout]))
    held_out = np.flatnonzero(np.isin(rows, shards.holdout))

    labels = torch.as_tensor(shards.table("train").label[rows])
    votes = labels >= 0
    votes[held_out] = False

    def evaluate(encoder: Encoder) -> dict[str, float]:
        gib, workers = training.resident_gib, training.workers
        data = loader(shards, "train", in_order(), device, subset=rows, gib=gib, workers=workers)
        features = pooled_features(encoder, plain_views(data, recipe, shards, device), device)
        found = knn.accuracy(
            Knn(k=min(Knn().k, int(votes.sum()))),
            features[votes],
            labels[votes],
            features[held_out],
            labels[held_out],
            len(shards.class_names),
        )
        return {"eval/online_knn": found["top1"]}

    return evaluate if len(held_out) and bool(votes.any()) else None
