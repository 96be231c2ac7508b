"""STL-10."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Downloaded


class Options(Downloaded):
    """STL-10: 96 x 96 pixels; pretraining on the 100,000 unlabelled and 5,000 labelled images, test on 8,000."""

    inner: ClassVar[str] = "stl10_binary"
    use: Literal["stl10"] = "stl10"
    unlabelled: bool = True
    """Whether the unlabelled images are part of train (label -1)."""

    @property
    def partly_labelled(self) -> bool:
        return self.unlabelled

    @property
    def published_train_images(self) -> int:
        return 105_000 if self.unlabelled else 5_000

    @property
    def published_side(self) -> int:
        return 96
