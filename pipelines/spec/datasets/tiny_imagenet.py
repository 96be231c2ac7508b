"""Tiny-ImageNet."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Fetched


class Options(Fetched):
    """200 classes of ImageNet at 64 x 64 pixels: 100,000 images; val, 10,000, is test (the labels of test are secret)."""

    needed: ClassVar[tuple[str, ...]] = ("wnids.txt", "words.txt", "train", "val/images", "val/val_annotations.txt")
    origin: ClassVar[str] = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
    use: Literal["tiny_imagenet"] = "tiny_imagenet"

    @property
    def published_train_images(self) -> int:
        return 100_000

    @property
    def published_side(self) -> int:
        return 64
