"""ImageNet, ILSVRC 2012."""

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.errors import InputError
from pipelines.spec.datasets.base import Fetched

TRAIN, VAL, DEVKIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"


class Options(Fetched):
    """1,281,167 photographs of 1,000 kinds; val, 50,000, is test."""

    needed: ClassVar[tuple[str, ...]] = ("train", "val")
    origin: ClassVar[str] = "https://image-net.org/challenges/LSVRC/2012"
    use: Literal["imagenet"] = "imagenet"
    image_size: int | None = Field(default=224, ge=4)
    """Side in pixels after decoding (short side resized, centre cropped)."""

    @property
    def published_train_images(self) -> int:
        return 1_281_167

    @property
    def unpacked(self) -> bool:
        """Whether the folder holds folders of images; no: the tars as they are handed out."""
        return all((self.root / name).is_dir() for name in self.needed)

    def check_files(self) -> None:
        tars = (TRAIN, VAL, DEVKIT)
        if not self.unpacked and (missing := [name for name in tars if not (self.root / name).is_file()]):
            raise InputError(
                f"{self.root}: neither train/ and val/ with a folder for each class, nor {', '.join(missing)}; fetch the "
                f"three files {', '.join(tars)} from {self.origin} and set dataset.folder to their folder"
            )
