"""What every data set has in common: how its images are read, and how they are cut into splits."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from pipelines.errors import InputError
from pipelines.listing.paths import expanded
from pipelines.spec.base import Count, Model, Name, Share


class DataSet(Model):
    """Options of one data set. A subclass narrows ``use`` to ``Literal[NAME] = NAME`` and adds fields."""

    use: str = ""
    """The data set's name: its file here and in sources/."""
    role: Literal["pretrain", "target"] = Field(default="pretrain", exclude=True)
    """pretrain: methods are pretrained and evaluated on it. target: encoders of the others are evaluated on it."""
    image_size: int | None = Field(default=None, ge=4)
    """Side in pixels after decoding (short side resized, centre cropped); none: the images' own, which must all agree."""
    holdout: Share = 0.1
    """Share of train kept for choosing (tuning, probe learning rates, online kNN): stratified, with a fixed seed."""
    per_shard: Count = 5000
    """Samples a tar."""
    limit: Count | None = None
    """Keep only this many training images, the same number a class where possible, chosen with a fixed seed."""
    max_unreadable: Share = 0.001
    """Share of images that may be unreadable; they are named and counted. Beyond it the shards are refused."""

    @property
    def short_name(self) -> str:
        """What the data set is called in keys and tables: its own name, else that of its kind, with its limit."""
        name = str(getattr(self, "name", None) or self.use)
        return f"{name}-{self.limit}" if self.limit else name

    @property
    def published_train_images(self) -> int | None:
        """Images in train as it is published; none: only the shards will tell."""
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
    def train_images(self) -> int | None:
        """Images in train, before the held-out slice is taken; none: only the shards will tell."""
        known = self.published_train_images
        return None if known is None else min(known, self.limit or known)

    @property
    def pretraining_images(self) -> int | None:
        """About how many images pretraining sees: train without the held-out slice; the shards know exactly."""
        known = self.train_images
        return None if known is None else known - round(known * self.holdout)

    @property
    def without_labels(self) -> bool:
        """Whether it is known, before it is packed, to have no labels, or one class only, which tells nothing apart."""
        return False

    def check_files(self) -> None:
        """InputError when the files that the options name are not there. Quick: names are looked at, not images."""


class Downloaded(DataSet):
    """A data set that torchvision can download."""

    inner: ClassVar[str]
    """The folder in torchvision's root folder that holds the files."""
    folder: str | None = None
    """torchvision's root folder; none: data/, with download."""

    @property
    def root(self) -> Path | None:
        """``folder``, with ~ and $NAME filled in."""
        return expanded(self.folder) if self.folder else None

    def check_files(self) -> None:
        if self.root and not (self.root / self.inner).is_dir():
            raise InputError(
                f"{self.root / self.inner}: no such folder; set dataset.folder to the folder that holds "
                f"torchvision's {self.inner}/, or leave it out to download it to data/"
            )


class OwnImages(DataSet):
    """A data set of somebody's own, in files on this machine."""

    name: Name
    """What the data set is called in keys and tables."""
    labels: Literal["auto", "none"] = "auto"
    """auto: labels where there are some (class folders, cls members). none: images alone, to pretrain on."""
    orientation: Literal["respect", "ignore"] = "respect"
    """respect: photographs are turned as their EXIF tag says. ignore: pixels as stored, as is usual for ImageNet."""
    alpha: Literal["white", "black", "drop"] = "white"
    """What shows through transparent pixels; drop: the colour that is stored under them."""
    test_share: Share = 0.2
    """Share of each class for test when there is no test split."""
