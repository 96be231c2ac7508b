"""What every data set has in common: how its images are read, and how they are cut into splits."""

from typing import Literal

from pydantic import Field

from pipelines.spec.base import Count, Model, Share


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
    def train_images(self) -> int | None:
        """Images in train, before the held-out slice is taken; none: only the shards will tell."""
        known = self.published_train_images
        return None if known is None else min(known, self.limit or known)

    @property
    def pretraining_images(self) -> int | None:
        """About how many images pretraining sees: train without the held-out slice; the shards know exactly."""
        known = self.train_images
        return None if known is None else known - round(known * self.holdout)


class Downloaded(DataSet):
    """A data set that torchvision can download."""

    folder: str | None = None
    """torchvision's root folder; none: data/, with download."""
