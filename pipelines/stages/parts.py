"""What several stages put together from a job's spec: the method, its encoder, and images as an encoder wants them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from pipelines.encoders.base import Encoder
from pipelines.encoders.build import build_encoder
from pipelines.methods import build
from pipelines.methods.base import DataFacts, Method
from pipelines.randomness import generator, seed_for
from pipelines.records import read_record
from pipelines.sources.arrays import resident, resident_bytes
from pipelines.sources.loader import Resident, Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.spec.encoders import AnyEncoder
from pipelines.spec.methods import options_class
from pipelines.spec.parse import parse
from pipelines.spec.views import Augmentation, Views
from pipelines.views.maker import ViewMaker

EVALUATION_BATCH = 256
METHOD = "method.safetensors"
"""All weights of a method, kept beside its encoder's where evaluation needs more than those."""


def chosen_device() -> torch.device:
    """The GPU of this process, else the CPU."""
    from pipelines import distributed

    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", distributed.rank() % torch.cuda.device_count())


def facts_of(shards: ShardSet) -> DataFacts:
    """What a method may know of the shards it is pretrained on."""
    return DataFacts(
        num_samples=len(shards.pretraining),
        num_classes=len(shards.class_names),
        image_size=shards.index.image_size,
        class_names=shards.class_names,
    )


def build_method(spec: dict[str, Any], facts: DataFacts) -> Method:
    """The method of a pretraining spec, freshly initialised from its seed."""
    encoder = parse(AnyEncoder, spec["encoder"], "encoder")
    options = parse(options_class(spec["method"]["use"]), spec["method"], "method")

    def make_encoder(in_channels: int = 3) -> Encoder:
        return build_encoder(encoder, facts.image_size, in_channels)

    with torch.random.fork_rng():  # torch's layers draw their weights from the global generator
        torch.manual_seed(seed_for(spec["seed"], "weights"))
        return build(options, make_encoder, facts)


def untrained_encoder(spec: dict[str, Any], image_size: int) -> Encoder:
    """The encoder of an embedding spec as it is born, from its seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed_for(spec["seed"], "weights"))
        return build_encoder(parse(AnyEncoder, spec["encoder"], "encoder"), image_size)


def trained_encoder(job: Path) -> tuple[Encoder, Views]:
    """The encoder of a finished pretraining, weights loaded strictly, and the recipe it was trained on."""
    spec = read_record(job).spec
    shards = open_shards(job.parents[1] / "shards" / read_record(job).inputs["shards"])
    encoder = build_method(spec, facts_of(shards)).encoder
    encoder.load_state_dict(load_file(job / "encoder.safetensors"), strict=True)
    return encoder, parse(Views, spec["views"], "views")


def trained_method(job: Path) -> Method:
    """The whole method of a finished pretraining that keeps it (a text tower is part of it), weights loaded strictly."""
    record = read_record(job)
    shards = open_shards(job.parents[1] / "shards" / record.inputs["shards"])
    method = build_method(record.spec, facts_of(shards))
    method.load_state_dict(load_file(job / METHOD), strict=True)
    return method


def device_name(device: torch.device) -> str | None:
    """The GPU's name; none for the CPU, which records name themselves."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def plain_recipe(recipe: Views) -> Views:
    """One whole, unchanged view an image, in the colours and size of the recipe's first view."""
    first = recipe.kinds[0]
    return Views(
        augmentations=(
            Augmentation(
                size=first.size,
                scale=(1.0, 1.0),
                ratio=(1.0, 1.0),
                flip=0.0,
                jitter_prob=0.0,
                grayscale=0.0,
                blur=0.0,
                colour=first.colour,
            ),
        )
    )


def fits(shards: ShardSet, gib: float) -> bool:
    """Whether train, decoded, takes at most ``gib`` of memory."""
    return resident_bytes(shards) <= gib * 2**30


def loader(
    shards: ShardSet, split: str, order: Order, device: torch.device, *, subset: NDArray[np.int64] | None = None,
    gib: float = 4.0, workers: int = 2,
) -> Resident | Streaming:  # fmt: skip
    """Whole images of a split in the given order: resident where they fit in ``gib``, else streaming."""
    if fits(shards, gib):
        return Resident(resident(shards, split), order, device, subset)
    return Streaming(shards, order, device, subset, split=split, workers=workers)


def in_order() -> Order:
    """Reading order, in batches for evaluation, the last one smaller."""
    return Order(batch_size=EVALUATION_BATCH, seed=0, shuffle=False, drop_last=False)


def plain_views(data: Resident | Streaming, recipe: Views, shards: ShardSet, device: torch.device) -> Iterator[Tensor]:
    """The images of one epoch, whole and normalised, as (n, 3, h, w) float batches on the device."""
    index = shards.index
    make = ViewMaker(plain_recipe(recipe), index.image_size, index.mean, index.std)
    unused = generator(0, "plain", device=device)
    for batch in data.epoch(0):
        yield make(batch, unused)[0]
