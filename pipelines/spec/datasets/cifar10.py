"""CIFAR-10."""

from typing import Literal

from pipelines.spec.datasets.base import Downloaded


class Options(Downloaded):
    """CIFAR-10: 50,000 + 10,000 images of 32 x 32 pixels."""

    use: Literal["cifar10"] = "cifar10"

    @property
    def published_train_images(self) -> int:
        return 50_000
