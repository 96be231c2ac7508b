"""Food-101."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Photographs


class Options(Photographs):
    """Dishes of 101 kinds: 75,750 + 25,250 images."""

    inner: ClassVar[str] = "food-101"
    needed: ClassVar[tuple[str, ...]] = ("food-101/images", "food-101/meta")
    use: Literal["food101"] = "food101"

    @property
    def published_train_images(self) -> int:
        return 75_750
