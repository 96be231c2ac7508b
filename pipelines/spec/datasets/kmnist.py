"""Kuzushiji-MNIST."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.parts import IdxFiles


class Options(IdxFiles):
    """Kuzushiji-MNIST: 60,000 + 10,000 cursive Japanese characters in 10 classes, grey, 28 x 28 pixels."""

    inner: ClassVar[str] = "KMNIST"
    use: Literal["kmnist"] = "kmnist"
