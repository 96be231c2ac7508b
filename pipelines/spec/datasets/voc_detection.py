"""PASCAL VOC with boxes."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Photographs, Targets
from pipelines.spec.datasets.voc import CLASSES

IMAGES = {"07+12": 16_551, "07": 5_011}


class Options(Photographs):
    """PASCAL VOC with a box around every thing of 20 kinds: trainval of 2007 and 2012 (16,551 images), test of 2007 (4,952).

    An image has no one label, so that ``detection`` alone can measure on it. ``image_size`` is the side at which methods
    that are pretrained on these images see them; detection reads them whole.
    """

    inner: ClassVar[str] = "VOCdevkit"
    beside: ClassVar[tuple[Targets, ...]] = ("boxes",)
    label_names: ClassVar[tuple[str, ...]] = CLASSES
    use: Literal["voc_detection"] = "voc_detection"
    trainval: Literal["07+12", "07"] = "07+12"
    """Years of the images to learn from, as papers name them."""

    @property
    def short_name(self) -> str:
        return super().short_name if self.trainval == "07+12" else f"{super().short_name}_07"

    @property
    def years(self) -> tuple[str, ...]:
        """Of the images to learn from."""
        return tuple(f"20{year}" for year in self.trainval.split("+"))

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(
            f"{self.inner}/VOC{year}/{folder}"
            for year in self.years
            for folder in ("JPEGImages", "Annotations", "ImageSets/Main")
        )

    @property
    def published_train_images(self) -> int:
        return IMAGES[self.trainval]

    @property
    def without_labels(self) -> bool:
        return True
