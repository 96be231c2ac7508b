"""COCO captions."""

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.spec.datasets.base import Fetched, Targets


class Options(Fetched):
    """Photographs with five captions each, 118,287 + 5,000 (val2017 is test); no classes, so for methods that read text."""

    beside: ClassVar[tuple[Targets, ...]] = ("captions",)
    needed: ClassVar[tuple[str, ...]] = (
        "train2017", "val2017", "annotations/captions_train2017.json", "annotations/captions_val2017.json",
    )  # fmt: skip
    origin: ClassVar[str] = "https://cocodataset.org"
    use: Literal["coco_captions"] = "coco_captions"
    image_size: int | None = Field(default=224, ge=4)
    """Side in pixels after decoding (short side resized, centre cropped)."""
    caption: int = Field(default=0, ge=0, le=4)
    """Which of an image's captions is its own; the others are kept beside it."""

    @property
    def published_train_images(self) -> int:
        return 118_287

    @property
    def without_labels(self) -> bool:
        return True
