"""Options of AlexNet."""

from typing import Literal

from pipelines.spec.base import Positive
from pipelines.spec.encoders.base import EncoderOptions

HIDDEN = 4096
"""Units of its linear layers at share 1."""


class Options(EncoderOptions):
    """CMC's batch-normalised AlexNet; ``share`` 0.5 is the half-width branch of its two-view split."""

    use: Literal["alexnet"] = "alexnet"
    share: Positive = 1.0

    @property
    def short_name(self) -> str:
        return "alexnet" if self.share == 1 else f"alexnet{self.share:g}"

    @property
    def feature_width(self) -> int:
        return max(1, round(HIDDEN * self.share))

    def forward_gflops(self, image_size: int) -> float:
        return 0.7 * (image_size / 224) ** 2
