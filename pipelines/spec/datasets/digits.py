"""scikit-learn's handwritten digits."""

from typing import Literal

from pipelines.spec.datasets.base import DataSet


class Options(DataSet):
    """scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels in 10 classes; every fifth is test."""

    use: Literal["digits"] = "digits"

    @property
    def published_train_images(self) -> int:
        return 1438  # 1,797 less every fifth

    @property
    def published_side(self) -> int:
        return 8

    @property
    def published_counts(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (151, 161, 143, 131, 147, 154, 150, 136, 127, 138), (27, 21, 34, 52, 34, 28, 31, 43, 47, 42)
