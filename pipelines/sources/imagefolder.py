"""Folders of class folders or of images alone; a share becomes test where there is no folder of it."""

from pathlib import Path

import numpy as np

from pipelines.listing.images import images_of, note_outside
from pipelines.listing.kinds import HEAD, Skipped, kind_of, plain
from pipelines.listing.known import advised
from pipelines.listing.layout import Layout
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.strata import stratified_share
from pipelines.spec.datasets.imagefolder import Options as ImageFolder


def read(options: ImageFolder) -> Source:
    """Paths only; images are read when asked for. Links are followed. InputError: missing, empty, unknown classes."""
    inventory = options.inventory()  # taken first: what is added from here on is seen as new by the next plan
    layout, skipped = options.layout(), Skipped()
    with advised(layout.root):
        layout.check()
    note_outside(layout, skipped)
    train, told = _split(layout, layout.train, skipped), options.told()
    if layout.test is None:
        skipped.check_lost(len(train), options.max_unreadable)
        chosen = stratified_share(train.labels, options.test_share, 0, "test")
        rest = np.setdiff1d(np.arange(len(train)), chosen)
        return Source(layout.classes, train.take(rest), train.take(chosen), skipped.plain(), inventory, layout=told)
    held = None
    if layout.held is not None:
        first, train = len(train), train.joined(_split(layout, layout.held, skipped))
        held = frozenset(range(first, len(train)))
    test = _split(layout, layout.test, skipped)
    skipped.check_lost(len(train) + len(test), options.max_unreadable)
    return Source(layout.classes, train, test, skipped.plain(), inventory, held, told)


def _split(layout: Layout, part: Path, skipped: Skipped) -> Split:
    found = images_of(layout, part, skipped)
    paths = [path for images in found.values() for path in images]
    labels = [layout.classes.index(name) if name else -1 for name, images in found.items() for _ in images]
    ids = [plain(path.relative_to(layout.root).as_posix()) for path in paths]

    def sample(position: int) -> Sample:
        data, ending = paths[position].read_bytes(), paths[position].suffix[1:].lower()
        if ending not in layout.endings:  # "Mr. Smith at the beach": known by its first bytes
            ending = kind_of(data[:HEAD]) or ""
        return Sample(ids[position], data, ending, labels[position])

    return Split(ids, np.array(labels, np.int64), sample)
