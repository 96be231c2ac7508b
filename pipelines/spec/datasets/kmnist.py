"""Kuzushiji-MNIST."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.parts import IdxFiles


class Options(IdxFiles):
    """Kuzushiji-MNIST: 60,000 + 10,000 cursive Japanese characters in 10 classes, grey, 28 x 28 pixels."""

    inner: ClassVar[str] = "KMNIST"
    use: Literal["kmnist"] = "kmnist"

    @property
    def published_counts(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        return ((6_000,) * 10, (1_000,) * 10) if self.folder is None else None
