"""Describable Textures."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Photographs


class Options(Photographs):
    """Textures of 47 kinds, the first partition: 3,760 images to learn from (train and val) and 1,880 of test."""

    inner: ClassVar[str] = "dtd"
    needed: ClassVar[tuple[str, ...]] = ("dtd/dtd/images", "dtd/dtd/labels")
    use: Literal["dtd"] = "dtd"

    @property
    def published_train_images(self) -> int:
        return 3_760
