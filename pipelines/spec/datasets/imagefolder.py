"""Folders of class folders, or of images alone."""

from typing import Literal, Self

from pydantic import model_validator

from pipelines.errors import InputError
from pipelines.listing.inventory import Inventory, of_folders
from pipelines.listing.layout import Layout, layout_of
from pipelines.listing.paths import expanded
from pipelines.spec.datasets.base import OwnImages


class Options(OwnImages):
    """A folder of class folders, or of images without labels, with train/ and test/ (or val/) inside, or without: then
    a share becomes test."""

    use: Literal["imagefolder"] = "imagefolder"
    folder: str
    """The folder; ~ and $NAME are filled in."""
    classes: str | None = None
    """A text file, one class folder a line (more words on a line are ignored): only these, in this order (ImageNet-100)."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.classes and self.labels == "none":
            raise ValueError("classes chooses class folders, and labels: none takes no notice of them; leave one out")
        return self

    def layout(self) -> Layout:
        """How the images lie; InputError where that cannot be told."""
        class_list = expanded(self.classes) if self.classes else None
        return layout_of(expanded(self.folder), self.labels == "auto", class_list)

    @property
    def without_labels(self) -> bool:
        try:
            return len(self.layout().classes) < 2
        except InputError:
            return False  # which check_files tells

    def check_files(self) -> None:
        self.layout().check()

    def inventory(self, packed: Inventory | None = None) -> Inventory:
        if packed and not expanded(self.folder).is_dir():
            return packed
        return of_folders(self.layout(), packed)
