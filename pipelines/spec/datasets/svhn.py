"""SVHN."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Downloaded


class Options(Downloaded):
    """Street View House Numbers, cropped digits: 73,257 + 26,032 colour images of 32 x 32 pixels in 10 classes."""

    needed: ClassVar[tuple[str, ...]] = ("train_32x32.mat", "test_32x32.mat")
    use: Literal["svhn"] = "svhn"

    @property
    def published_train_images(self) -> int:
        return 73_257

    @property
    def published_side(self) -> int:
        return 32
