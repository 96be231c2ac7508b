"""What a data set is to us: classes, and for each split the ids, the labels and a way to read one sample."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.listing.inventory import Inventory
from pipelines.sources.images import encode_png
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.part import Part

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
    """Read a data set, or its part, with the module that bears its name. InputError where its files are missing or wrong."""
    module = import_module(f"pipelines.sources.{dataset.use}")  # type: ignore[attr-defined]
    whole = cast(Source, module.read(dataset))
    return of_classes(whole, dataset.part, dataset.short_name) if dataset.part else whole


def of_classes(source: Source, part: Part, name: str) -> Source:
    """The images of some classes, numbered in the part's order. InputError for a class that there is not, or that has no
    image in train."""
    chosen = part.numbers(source.classes, name)
    number = np.full(len(source.classes) + 1, -1, np.int64)  # the last is for images without a label
    number[chosen] = np.arange(len(chosen))
    train, test = (_renumbered(split, number) for split in (source.train, source.test))
    if not len(train):
        raise InputError(f"{name}: train has no image of the classes of dataset.part; name classes that it has")
    kept = np.flatnonzero(number[source.train.labels] >= 0).tolist()
    held = None if source.held is None else frozenset(i for i, row in enumerate(kept) if row in source.held)
    return replace(source, classes=part.classes, train=train, test=test, held=held)


def _renumbered(split: Split, number: Labels) -> Split:
    """The samples whose label has a number; number (C + 1,) int64: -1 for none."""
    kept = split.take(np.flatnonzero(number[split.labels] >= 0))
    labels = number[kept.labels]
    return Split(kept.ids, labels, lambda position: replace(kept.read(position), label=int(labels[position])))


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
