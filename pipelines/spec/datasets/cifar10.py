"""CIFAR-10."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Downloaded


class Options(Downloaded):
    """CIFAR-10: 50,000 + 10,000 images of 32 x 32 pixels."""

    inner: ClassVar[str] = "cifar-10-batches-py"
    use: Literal["cifar10"] = "cifar10"

    @property
    def published_train_images(self) -> int:
        return 50_000

    @property
    def published_side(self) -> int:
        return 32

    @property
    def published_counts(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        return ((5_000,) * 10, (1_000,) * 10) if self.folder is None else None
