"""FGVC-Aircraft."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Photographs


class Options(Photographs):
    """Aircraft of 100 variants: 6,667 images to learn from (train and val) and 3,333 of test."""

    inner: ClassVar[str] = "fgvc-aircraft-2013b"
    needed: ClassVar[tuple[str, ...]] = ("fgvc-aircraft-2013b/data",)
    convention: ClassVar[str] = "mean_per_class"
    use: Literal["aircraft"] = "aircraft"

    @property
    def published_train_images(self) -> int:
        return 6_667
