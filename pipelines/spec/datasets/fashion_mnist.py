"""Zalando's Fashion-MNIST."""

from typing import Literal

from pipelines.spec.datasets.base import DataSet


class Options(DataSet):
    """Zalando's Fashion-MNIST: 60,000 + 10,000 images of 28 x 28 pixels in 10 classes."""

    use: Literal["fashion_mnist"] = "fashion_mnist"
    folder: str | None = None
    """Folder with the four idx files; none: Debian's dataset-fashion-mnist, else torchvision's download to data/."""

    @property
    def published_train_images(self) -> int:
        return 60_000
