"""PASCAL VOC 2012 with masks."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Photographs, Targets
from pipelines.spec.datasets.voc import CLASSES


class Options(Photographs):
    """PASCAL VOC 2012 with the class of every pixel, 20 kinds of things and background: train 1,464 + val 1,449 as test.

    An image has no one label, so that ``segmentation`` alone can measure on it.
    """

    inner: ClassVar[str] = "VOCdevkit/VOC2012"
    needed: ClassVar[tuple[str, ...]] = (
        "VOCdevkit/VOC2012/JPEGImages", "VOCdevkit/VOC2012/SegmentationClass",
        "VOCdevkit/VOC2012/ImageSets/Segmentation",
    )  # fmt: skip
    beside: ClassVar[tuple[Targets, ...]] = ("masks",)
    label_names: ClassVar[tuple[str, ...]] = ("background", *CLASSES)
    use: Literal["voc_segmentation"] = "voc_segmentation"

    @property
    def published_train_images(self) -> int:
        return 1_464

    @property
    def without_labels(self) -> bool:
        return True
