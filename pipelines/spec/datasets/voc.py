"""PASCAL VOC 2007."""

from typing import ClassVar, Literal

from pipelines.spec.datasets.base import Photographs, Targets

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class Options(Photographs):
    """PASCAL VOC 2007: photographs in which any of 20 kinds of things are seen, trainval 5,011 + test 4,952.

    An image has no one label, so that ``multi_label`` alone can measure on it.
    """

    inner: ClassVar[str] = "VOCdevkit/VOC2007"
    needed: ClassVar[tuple[str, ...]] = ("VOCdevkit/VOC2007/JPEGImages", "VOCdevkit/VOC2007/ImageSets/Main")
    beside: ClassVar[tuple[Targets, ...]] = ("label_sets",)
    label_names: ClassVar[tuple[str, ...]] = CLASSES
    use: Literal["voc"] = "voc"

    @property
    def published_train_images(self) -> int:
        return 5_011

    @property
    def without_labels(self) -> bool:
        return True
