"""Oxford-IIIT Pet."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Photographs


class Options(Photographs):
    """Cats and dogs of 37 breeds: 3,680 + 3,669 images."""

    inner: ClassVar[str] = "oxford-iiit-pet"
    needed: ClassVar[tuple[str, ...]] = ("oxford-iiit-pet/images", "oxford-iiit-pet/annotations")
    convention: ClassVar[str] = "mean_per_class"
    use: Literal["pets"] = "pets"

    @property
    def published_train_images(self) -> int:
        return 3_680
