"""Imagenette."""

from typing import Literal

from pipelines.spec.datasets.base import Photographs


class Options(Photographs):
    """Ten classes of ImageNet that are easy to tell apart: 9,469 + 3,925 images."""

    use: Literal["imagenette"] = "imagenette"
    size: Literal["full", "320px", "160px"] = "160px"
    """Which of the published sets: the short side's pixels."""

    @property
    def published_train_images(self) -> int:
        return 9_469

    @property
    def needs(self) -> tuple[str, ...]:
        name = "imagenette2" + {"full": "", "320px": "-320", "160px": "-160"}[self.size]
        return (f"{name}/train", f"{name}/val")
