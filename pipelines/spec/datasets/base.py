"""What every data set has in common: how its images are read, and how they are cut into splits."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from pipelines.errors import InputError
from pipelines.listing.inventory import Inventory
from pipelines.listing.paths import expanded
from pipelines.listing.quotas import evenly, shares
from pipelines.spec.base import Count, Model, Share
from pipelines.spec.contents import Contents
from pipelines.spec.counts import Counts
from pipelines.spec.part import Part

MOST_HELD = 10_000
"""Images kept for choosing, unless told otherwise: the standard error of an accuracy is half a percent at most then."""
Targets = Literal["labels", "captions", "label_sets", "masks", "boxes"]
"""What encoders are measured against: a label an image, captions, any number of labels an image, one a pixel, or boxes."""


class DataSet(Model):
    """Options of one data set. A subclass narrows ``use`` to ``Literal[NAME] = NAME`` and adds fields."""

    use: str = ""
    """The data set's name: its file here and in sources/."""
    beside: ClassVar[tuple[Targets, ...]] = ()
    """What its images have beside, or in place of, one label each, as far as planning can know."""
    label_names: ClassVar[tuple[str, ...]] = ()
    """The classes of which an image, or its pixels, may show several."""
    convention: ClassVar[str] = "top1"
    """The number that the field reports on it: top1, or mean_per_class where classes differ in size."""
    role: Literal["pretrain", "target"] = Field(default="pretrain", exclude=True)
    """pretrain: methods are pretrained and evaluated on it. target: encoders of the others are evaluated on it."""
    image_size: int | None = Field(default=None, ge=4)
    """Side in pixels after decoding (short side resized, centre cropped); none: the images' own, which must all agree."""
    holdout: Share = 0.1
    """Share of train kept for choosing (tuning, probe learning rates, online kNN): stratified, with a fixed seed."""
    holdout_most: Count | None = Field(default=MOST_HELD, exclude_if=lambda value: value == MOST_HELD)
    """Images that are held out at most, whatever share they are; none: no bound. Choosing takes no more."""
    per_shard: Count = 5000
    """Samples a tar."""
    limit: Count | None = None
    """Keep only this many training images, the same number a class where possible, chosen with a fixed seed."""
    max_unreadable: Share = 0.001
    """Share of images that may be unreadable; they are named and counted. Beyond it the shards are refused."""
    part: Part | None = Field(default=None, exclude_if=lambda value: value is None)
    """Some classes alone; none: all. Two entries with different parts, one of them with role: target, keep classes from
    pretraining that few-shot episodes are drawn of."""

    @property
    def short_name(self) -> str:
        """What the data set is called in keys and tables: its own name, else that of its kind, with its limit."""
        name = str(getattr(self, "name", None) or self.use) + (f"-{self.part.name}" if self.part else "")
        return f"{name}-{self.limit}" if self.limit else name

    @property
    def partly_labelled(self) -> bool:
        """Whether it is known, before it is packed, that some images of train have a label and others none."""
        return False

    @property
    def published_train_images(self) -> int | None:
        """Images in train as it is published; none: only the shards will tell."""
        return None

    @property
    def published_counts(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Images of each class in train and in test as it is published; none: only the files will tell."""
        return None

    @property
    def published_side(self) -> int | None:
        """Pixels a side of the images as they are published; none: only the files will tell."""
        return None

    @property
    def side(self) -> int | None:
        """Pixels a side that a network sees, where planning can know."""
        return self.image_size or self.published_side

    @property
    def input_channels(self) -> int:
        """Channels that a network sees; grey images become three equal ones."""
        return 3

    @property
    def train_images(self) -> int | None:
        """Images in train, before the held-out slice is taken; none: only the shards will tell."""
        known = None if self.part else self.published_train_images
        return None if known is None else min(known, self.limit or known)

    @property
    def pretraining_images(self) -> int | None:
        """About how many images pretraining sees: train without the held-out slice; the shards know exactly."""
        known = self.train_images
        return None if known is None else known - round(known * self.held_share(known))

    def held_share(self, images: int) -> float:
        """The share of ``images`` of train that is kept for choosing."""
        return min(self.holdout, (self.holdout_most or images) / max(images, 1))

    @property
    def held_told(self) -> str:
        """What is kept for choosing where a share is, in words."""
        most = "" if self.holdout_most is None else f", {self.holdout_most:,} at most"
        return f"{self.holdout:.0%} of train{most}"

    @property
    def without_labels(self) -> bool:
        """Whether it is known, before it is packed, to have no labels, or one class only, which tells nothing apart."""
        return False

    def check_files(self) -> None:
        """InputError when the files that the options name are not there. Quick: names are looked at, not images."""

    def inventory(self, packed: Inventory | None = None) -> Inventory:
        """The files as they lie now, InputError where they cannot be listed; empty for published data sets.

        ``packed``: what it was packed from. It is given back where the files are here no more, which changes nothing,
        and where there are very many, whose folders have their times still.
        """
        return Inventory()

    def contents(self) -> Contents | None:
        """What its files hold, counted without reading them, InputError where they cannot be; None where that takes long."""
        if self.published_counts is None or self.part:
            return None
        train, test = self.published_counts
        learnt = evenly(train, self.limit) if self.limit else list(train)
        kept = shares(learnt, self.held_share(sum(learnt)))
        return Contents(sum(learnt), sum(kept), sum(test), Counts(tuple(learnt), tuple(kept), test), {})

    def uncounted(self) -> list[str]:
        """Where ``contents`` is none: why, what it takes to know, and what a quick look at a part of the files says."""
        return []

    def told(self) -> str:
        """How the files were understood, in a line, InputError where they cannot be; empty where nothing is to be told."""
        return ""


class Downloaded(DataSet):
    """A data set that torchvision can download."""

    inner: ClassVar[str]
    """The folder in torchvision's root folder that holds the files."""
    needed: ClassVar[tuple[str, ...]] = ()
    """What has to be in that root folder, files or folders; empty: ``inner``."""
    folder: str | None = None
    """torchvision's root folder; none: data/, with download."""

    @property
    def root(self) -> Path | None:
        """``folder``, with ~ and $NAME filled in."""
        return expanded(self.folder) if self.folder else None

    @property
    def needs(self) -> tuple[str, ...]:
        """Paths below torchvision's root folder that have to be there."""
        return self.needed or (self.inner,)

    def check_files(self) -> None:
        needed = self.needs
        if (root := self.root) is None:
            return
        for name in needed:
            if not (root / name).exists():
                raise InputError(
                    f"{root / name}: no such file or folder; set dataset.folder to the folder that holds "
                    f"{', '.join(needed)}, or leave it out to download them to data/"
                )


class Photographs(Downloaded):
    """Images of many sizes, brought to one."""

    image_size: int | None = Field(default=224, ge=4)
    """Side in pixels after decoding (short side resized, centre cropped)."""


class Fetched(DataSet):
    """A data set that its owners hand out by themselves: somebody has fetched it to this machine."""

    needed: ClassVar[tuple[str, ...]]
    """What the folder holds."""
    origin: ClassVar[str]
    """Where it is had."""
    folder: str
    """The folder that holds the files as they are published; ~ and $NAME are filled in."""

    @property
    def root(self) -> Path:
        """``folder``, with ~ and $NAME filled in."""
        return expanded(self.folder)

    def check_files(self) -> None:
        for name in self.needed:
            if not (self.root / name).exists():
                raise InputError(
                    f"{self.root / name}: no such file or folder; fetch the data set from {self.origin} and set "
                    f"dataset.folder to the folder that holds {', '.join(self.needed)}"
                )
