"""Folders of class folders, or of images alone."""

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from pipelines.errors import InputError
from pipelines.listing.images import images_of, note_outside
from pipelines.listing.inventory import Inventory, of_folders
from pipelines.listing.kinds import Skipped
from pipelines.listing.known import advised
from pipelines.listing.layout import Layout, layout_of
from pipelines.listing.nesting import check_nesting, deeper
from pipelines.listing.paths import expanded
from pipelines.spec.contents import Contents
from pipelines.spec.own_images import OwnImages


class Options(OwnImages):
    """A folder of class folders, or of images without labels, with train/ and test/ inside, or train/ and val/, or all
    three, or none: then a share becomes test."""

    use: Literal["imagefolder"] = "imagefolder"
    folder: str
    """The folder; ~ and $NAME are filled in."""
    classes: str | None = None
    """A text file, one class folder a line (more words on a line are ignored): only these, in this order (ImageNet-100)."""

    val: Literal["holdout", "unused"] = "holdout"
    """A val folder beside train and test. holdout: choices are made on it, in place of a share of train. unused: left out."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.classes and self.labels == "none":
            raise ValueError("classes chooses class folders, and labels: none takes no notice of them; leave one out")
        return self

    def layout(self) -> Layout:
        """How the images lie; InputError where that cannot be told."""
        class_list = expanded(self.classes) if self.classes else None
        root = expanded(self.folder)
        with advised(root):
            layout = layout_of(root, self.labels == "auto", class_list, self.val == "holdout", self.endings)
            if not class_list:
                check_nesting(layout)
        return layout

    @property
    def without_labels(self) -> bool:
        try:
            layout = self.layout()
            if few := len(layout.classes) < 2:
                layout.check()
            return few
        except InputError:
            return False  # which check_files tells

    def check_files(self) -> None:
        layout = self.layout()
        with advised(layout.root):
            layout.check()

    def inventory(self, packed: Inventory | None = None) -> Inventory:
        if packed and not expanded(self.folder).is_dir():
            return packed
        return of_folders(self.layout(), packed)

    def contents(self) -> Contents:
        layout, skipped = self.layout(), Skipped()
        note_outside(layout, skipped)
        names = ("", *layout.classes)

        def count(part: Path) -> list[int]:
            found = images_of(layout, part, skipped)
            return [len(found.get(name, ())) for name in names]

        train, test, held = (count(part) if part else None for part in (layout.train, layout.test, layout.held))
        assert train is not None
        skipped.check_lost(sum(map(sum, filter(None, (train, test, held)))), self.max_unreadable)
        return self.counted(layout.classes, train, test, held, skipped)

    def told(self) -> str:
        layout = self.layout()
        train = "all images" if layout.train == layout.root else f"{layout.train.name}/"
        test = f"{layout.test.name}/" if layout.test else f"{self.test_share:.0%} of it"
        held = f"{layout.held.name}/" if layout.held else self.held_told
        unused = [f"not used: {', '.join(f'{part.name}/' for part in layout.unused)}"] if layout.unused else []
        classes = f"{len(layout.classes)} classes" if layout.classes else "no labels"
        inner = filter(None, [deeper(layout)])
        return "; ".join([f"train: {train}", f"test: {test}", f"choices: {held}", *unused, classes, *inner])
