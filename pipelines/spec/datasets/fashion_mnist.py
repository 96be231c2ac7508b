"""Zalando's Fashion-MNIST."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.parts import IdxFiles


class Options(IdxFiles):
    """Zalando's Fashion-MNIST: 60,000 + 10,000 images of 28 x 28 pixels in 10 classes."""

    inner: ClassVar[str] = "FashionMNIST"
    elsewhere: ClassVar[str] = "install Debian's dataset-fashion-mnist, or "
    use: Literal["fashion_mnist"] = "fashion_mnist"
    folder: str | None = None
    """Folder with the four idx files; none: Debian's dataset-fashion-mnist, else torchvision's download to data/."""

    @property
    def published_counts(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        return ((6_000,) * 10, (1_000,) * 10) if self.folder is None else None
