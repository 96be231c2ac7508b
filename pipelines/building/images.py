"""The images of shards as a loader, and as an encoder wants them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.building.devices import data_workers
from pipelines.randomness import generator
from pipelines.sources.arrays import resident, resident_bytes
from pipelines.sources.images import AS_STORED, Decoding
from pipelines.sources.loader import Resident, Streaming
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet
from pipelines.spec.views import Augmentation, Views
from pipelines.views.maker import ViewMaker

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Wanted:
    """The form in which an encoder takes images: those of its pretraining.

    recipe      its first view's size and colours
    image_size  pixels a side where the recipe names none
    mean, std   of the channels, in [0, 1]; one number, or one a channel. Grey images become three equal channels.
    decoding    how files become such images
    """

    recipe: Views
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    decoding: Decoding = AS_STORED

    @property
    def channels(self) -> int:
        """Of the images, when the encoder gets them."""
        return self.decoding.channels or 3

    @classmethod
    def of(cls, shards: ShardSet, recipe: Views | None = None, image_size: int | None = None) -> "Wanted":
        """The form of the images in these shards."""
        index = shards.index
        size = image_size or index.image_size
        return cls(recipe or Views(), size, tuple(index.mean), tuple(index.std), index.decoding)

    def maker(self) -> ViewMaker:
        """Makes one whole, unchanged view an image."""
        return self.maker_of(plain_recipe(self.recipe))

    def maker_of(self, recipe: Views) -> ViewMaker:
        """Makes the views of another recipe in this form."""
        return ViewMaker(recipe, self.image_size, self.mean, self.std, self.channels)


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
    gib: float = 4.0, workers: int | None = None,
) -> Resident | Streaming:  # fmt: skip
    """Whole images of a split in the given order: resident where they fit in ``gib``, else streaming."""
    shards, split, subset = shards.within(split, subset)
    if fits(shards, gib):
        return Resident(resident(shards, split), order, device, subset)
    return Streaming(shards, order, device, subset, split=split, workers=data_workers(workers))


def in_order() -> Order:
    """Reading order, in batches for evaluation, the last one smaller."""
    return Order(batch_size=EVALUATION_BATCH, seed=0, shuffle=False, drop_last=False)


def plain_views(data: Resident | Streaming, wanted: Wanted, device: torch.device) -> Iterator[Tensor]:
    """The images of one epoch, whole and normalised, as (n, C, h, w) float batches on the device."""
    make, unused = wanted.maker(), generator(0, "plain", device=device)
    for batch in data.epoch(0):
        yield make(batch, unused)[0]
