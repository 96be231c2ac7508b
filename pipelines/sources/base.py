"""What a data set is to us: classes, and for each split the ids, the labels and a way to read one sample."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pipelines.listing.inventory import Inventory
from pipelines.sources.images import encode_png
from pipelines.spec.datasets.base import DataSet

SplitName = Literal["train", "test"]
SPLITS: tuple[SplitName, SplitName] = ("train", "test")
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """One image with what belongs to it.

    id         the source's name of it: a path or a position
    image      encoded bytes, the original ones where there are any
    extension  what the bytes are: png, jpg, ...
    label      class number, -1 where there is none
    fields     further images of the sample, encoded, by extension (depth.png)
    meta       anything else worth keeping, as JSON
    """

    id: str
    image: bytes
    extension: str
    label: int = -1
    caption: str | None = None
    fields: dict[str, bytes] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """N samples that can be read in any order.

    ids     unique
    labels  (N,) int64, -1 where there is none
    read    position to sample; raises OSError when it cannot
    """

    ids: Sequence[str]
    labels: Labels
    read: Callable[[int], Sample]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: NDArray[np.int64]) -> "Split":
        """The samples at these positions, in this order."""
        rows = positions.tolist()
        return Split(
            [self.ids[row] for row in rows], self.labels[positions], lambda position: self.read(rows[position])
        )

    def joined(self, other: "Split") -> "Split":
        """These samples, then those of another split."""
        first = len(self)
        return Split(
            [*self.ids, *other.ids],
            np.concatenate([self.labels, other.labels]),
            lambda position: self.read(position) if position < first else other.read(position - first),
        )


@dataclass(frozen=True)
class Source:
    """A data set before it is packed.

    classes  names by class number, empty where nothing is labelled
    skipped  what was found and is no part of it: kind -> {"count", "examples"}
    inventory  the files it was read from, where they are somebody's own
    held     positions in train that are there for choices; None: a share of train is drawn
    layout   how its files were understood, in a line
    """

    classes: tuple[str, ...]
    train: Split
    test: Split
    skipped: Mapping[str, Any] = field(default_factory=dict)
    inventory: Inventory = field(default_factory=Inventory)
    held: frozenset[int] | None = None
    layout: str = ""

    def split(self, name: SplitName) -> Split:
        """The split of that name."""
        return self.train if name == "train" else self.test

    def samples(self, name: SplitName) -> Iterator[Sample]:
        """All samples of a split, in the source's order."""
        split = self.split(name)
        return (split.read(position) for position in range(len(split)))


def open_source(dataset: DataSet) -> Source:
    """Read a data set with the module that bears its name. InputError where its files are missing or wrong."""
    module = import_module(f"pipelines.sources.{dataset.use}")  # type: ignore[attr-defined]
    return cast(Source, module.read(dataset))


class Images(Protocol):
    """N uint8 images: an array or whatever else has a length and gives one by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Any: ...


def array_split(name: SplitName, images: Images, labels: Labels) -> Split:
    """A split of N arrays (H, W), grey, or (H, W, 3), with labels (N,). Samples are PNG, called train-00000 and on."""
    ids = [f"{name}-{position:05d}" for position in range(len(images))]

    def read(position: int) -> Sample:
        return Sample(ids[position], encode_png(images[position]), "png", int(labels[position]))

    return Split(ids, labels.astype(np.int64), read)
