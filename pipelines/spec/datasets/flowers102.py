"""Oxford 102 Flowers."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Photographs


class Options(Photographs):
    """Flowers of 102 kinds: 2,040 images to learn from (train and val) and 6,149 of test."""

    inner: ClassVar[str] = "flowers-102"
    needed: ClassVar[tuple[str, ...]] = ("flowers-102/jpg", "flowers-102/imagelabels.mat", "flowers-102/setid.mat")
    convention: ClassVar[str] = "mean_per_class"
    use: Literal["flowers102"] = "flowers102"

    @property
    def published_train_images(self) -> int:
        return 2_040
