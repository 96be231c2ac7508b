"""Folders one level higher or lower than class folders are looked for: where a guess would give other classes, it is asked."""

from pathlib import Path

from pipelines.errors import InputError
from pipelines.listing.folders import folders, looks_like_image, visible
from pipelines.listing.layout import Layout
from pipelines.listing.splits import split_of

MOST_CLASSES = 20
"""Class folders that are looked into; where one is laid out in another way, all are."""


def check_nesting(layout: Layout) -> None:
    """InputError where the one class folder holds the true ones, or each class folder holds splits.

    Not to be asked where the study lists its classes, which is the decision.
    """
    tops = [layout.train / name for name in layout.classes[:MOST_CLASSES]]
    if len(layout.classes) == 1 and (inner := folders(tops[0])) and not _bare(tops[0]):
        raise InputError(
            f"{layout.train}: holds the one folder {tops[0].name}/ and no image beside {', '.join(inner[:3])} in it; where "
            f"those are the classes or the splits, write dataset.folder: {tops[0]}; else take the images without labels, by "
            "dataset.labels: none"
        )
    for top in tops:
        inner_splits = {split_of(name): name for name in folders(top)}
        if "train" in inner_splits and inner_splits.keys() & {"test", "val"}:
            raise InputError(
                f"{top / inner_splits['train']}: a split inside a class folder, and it would not be kept apart from the "
                f"others; sort the images the other way round: {inner_splits['train']}/{top.name}/"
            )


def deeper(layout: Layout) -> str:
    """Folders inside class folders, in words: their images are of the class; empty where there are none."""
    tops = [layout.train / name for name in layout.classes[:MOST_CLASSES] if (layout.train / name).is_dir()]
    inner = [f"{top.name}/{name}" for top in tops for name in folders(top)]
    if not inner:
        return ""
    return f"folders inside class folders count to the class ({', '.join(inner[:3])}{', ...' * (len(inner) > 3)})"


def _bare(folder: Path) -> bool:
    """Whether an image lies in the folder itself."""
    return any(looks_like_image(Path(entry.path)) for entry in visible(folder) if not entry.is_dir())
