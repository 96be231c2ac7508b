"""Folders of class folders or of images alone; a share becomes test where there is no folder of it."""

from pathlib import Path

import numpy as np

from pipelines.listing.folders import folders, images_below, note_beside
from pipelines.listing.kinds import HEAD, Skipped, kind_of
from pipelines.listing.layout import Layout, class_folders, no_image
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.strata import stratified_share
from pipelines.spec.datasets.imagefolder import Options as ImageFolder


def read(options: ImageFolder) -> Source:
    """Paths only; images are read when asked for. Links are followed. InputError: missing, empty, unknown classes."""
    inventory = options.inventory()  # taken first: what is added from here on is seen as new by the next plan
    layout, skipped = options.layout(), Skipped()
    layout.check()
    if layout.train != layout.root:
        note_beside(layout.root, layout.root, skipped)
    for part in layout.unused:
        skipped.add("split folder that is not used", part.name)
    train, told = _split(layout, layout.train, skipped), options.told()
    if layout.test is None:
        chosen = stratified_share(train.labels, options.test_share, 0, "test")
        rest = np.setdiff1d(np.arange(len(train)), chosen)
        return Source(layout.classes, train.take(rest), train.take(chosen), skipped.plain(), inventory, layout=told)
    held = None
    if layout.held is not None:
        first, train = len(train), train.joined(_split(layout, layout.held, skipped))
        held = frozenset(range(first, len(train)))
    return Source(layout.classes, train, _split(layout, layout.test, skipped), skipped.plain(), inventory, held, told)


def _split(layout: Layout, part: Path, skipped: Skipped) -> Split:
    paths: list[Path] = []
    labels: list[int] = []
    if not layout.classes:
        paths = images_below(part, layout.root, skipped)
        labels = [-1] * len(paths)
    else:
        note_beside(part, layout.root, skipped)
    for name in folders(part) if layout.classes else ():
        if name not in layout.classes:
            skipped.add("class folder that dataset.classes does not list", f"{part.name}/{name}")
    for name, folder in (class_folders(layout, part) if layout.classes else {}).items():
        found = images_below(folder, layout.root, skipped)
        if not found:
            raise no_image(folder)
        paths += found
        labels += [layout.classes.index(name)] * len(found)
    ids = [path.relative_to(layout.root).as_posix() for path in paths]

    def sample(position: int) -> Sample:
        path = paths[position]
        data = path.read_bytes()
        return Sample(ids[position], data, path.suffix[1:].lower() or kind_of(data[:HEAD]) or "", labels[position])

    return Split(ids, np.array(labels, np.int64), sample)
