"""CIFAR-100."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Downloaded


class Options(Downloaded):
    """CIFAR-100: 50,000 + 10,000 images of 32 x 32 pixels."""

    inner: ClassVar[str] = "cifar-100-python"
    use: Literal["cifar100"] = "cifar100"

    @property
    def published_train_images(self) -> int:
        return 50_000

    @property
    def published_side(self) -> int:
        return 32

    @property
    def published_counts(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        return ((500,) * 100, (100,) * 100) if self.folder is None else None
