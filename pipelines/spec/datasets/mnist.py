"""MNIST."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.parts import IdxFiles


class Options(IdxFiles):
    """MNIST: 60,000 + 10,000 handwritten digits, grey, 28 x 28 pixels."""

    inner: ClassVar[str] = "MNIST"
    use: Literal["mnist"] = "mnist"
