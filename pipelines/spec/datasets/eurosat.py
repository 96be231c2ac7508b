"""EuroSAT."""

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.spec.datasets.base import Downloaded


class Options(Downloaded):
    """Satellite images of 10 kinds of land: 27,000 of 64 x 64 pixels. They have no split: a share becomes test."""

    inner: ClassVar[str] = "eurosat"
    needed: ClassVar[tuple[str, ...]] = ("eurosat/2750",)
    use: Literal["eurosat"] = "eurosat"
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of every class for test, always the same images."""

    @property
    def published_train_images(self) -> int:
        return 21_600

    @property
    def published_side(self) -> int:
        return 64
