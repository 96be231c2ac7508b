"""The images of a layout by class, and what lies about beside them."""

from pathlib import Path

from pipelines.listing.folders import folders, images_below, note_beside
from pipelines.listing.kinds import Skipped
from pipelines.listing.layout import Layout, class_folders, no_image


def note_outside(layout: Layout, skipped: Skipped) -> None:
    """Count what lies beside the split folders, and the split folders that are not used."""
    if layout.train != layout.root:
        note_beside(layout.root, layout.root, skipped)
    for part in layout.unused:
        skipped.add("split folder that is not used", part.name)


def images_of(layout: Layout, part: Path, skipped: Skipped) -> dict[str, list[Path]]:
    """Class -> its images in a split folder, in the order of classes; all of them under "" where nothing is labelled.

    InputError for a class folder without an image.
    """
    if not layout.classes:
        return {"": images_below(part, layout.root, skipped, layout.endings)}
    note_beside(part, layout.root, skipped)
    for name in folders(part):
        if name not in layout.classes:
            skipped.add("class folder that dataset.classes does not list", f"{part.name}/{name}")
    inside = class_folders(layout, part).items()
    found = {name: images_below(folder, layout.root, skipped, layout.endings) for name, folder in inside}
    for name, images in found.items():
        if not images:
            raise no_image(part / name, layout.endings)
    return found
