"""Caltech-101."""

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.spec.datasets.base import Photographs


class Options(Photographs):
    """Objects of 101 kinds, without the background class. They have no split: some of each are train, the rest is test."""

    inner: ClassVar[str] = "caltech101"
    needed: ClassVar[tuple[str, ...]] = ("caltech101/101_ObjectCategories",)
    convention: ClassVar[str] = "mean_per_class"
    use: Literal["caltech101"] = "caltech101"
    train_per_class: int = Field(default=30, ge=1)
    """Images of every class for train, always the same; 30 is usual."""

    @property
    def published_train_images(self) -> int:
        return 101 * self.train_per_class
