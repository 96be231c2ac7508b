"""Existing WebDataset tars: samples are neighbouring members with one key; an image and cls, txt or json members each.

They are packed anew (shuffled, checksummed), with the image bytes as they are. Tars are read with the standard library.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.listing.kinds import Skipped, plain
from pipelines.listing.paths import expand
from pipelines.listing.samples import labelled, main_image, meta_of
from pipelines.listing.tars import TarEntry
from pipelines.sources.base import Labels, Sample, Source, Split
from pipelines.sources.strata import stratified_share
from pipelines.spec.datasets.webdataset import Options as WebDataset


def read(options: WebDataset) -> Source:
    """InputError for a pattern without tars, a damaged tar, a sample without image, a label that is no class number."""
    inventory, skipped = options.inventory(), Skipped()
    train = _split(options.train, options, skipped)
    if options.test is not None:
        test = _split(options.test, options, skipped)
    else:
        chosen = stratified_share(train.labels, options.test_share, 0, "test")
        train, test = train.take(np.setdiff1d(np.arange(len(train)), chosen)), train.take(chosen)
    given = np.unique(np.concatenate([train.labels, test.labels]))
    given = given[given >= 0]
    skipped.check_lost(len(train) + len(test), options.max_unreadable)
    told = f"{options.told()}; {len(given)} classes" if len(given) else f"{options.told()}; no labels"
    classes = tuple(
        str(number) for number in given.tolist()
    )  # a class's own number is its place, its name the given one
    train, test = _renumbered(train, given), _renumbered(test, given)
    return Source(classes, train, test, skipped.plain(), inventory, layout=told)


def _renumbered(split: Split, given: Labels) -> Split:
    """The same samples with the place of their label in ``given``: numbers nobody has are no classes."""
    own = np.where(split.labels < 0, -1, np.searchsorted(given, split.labels))
    return Split(split.ids, own, lambda row: replace(split.read(row), label=int(own[row])))


def _split(pattern: str, options: WebDataset, skipped: Skipped) -> Split:
    tars = expand(pattern)
    entries, numbers = labelled(tars, pattern, options.fields, skipped, options.endings, options.labels == "auto")
    common = Path(os.path.commonpath([tar.parent for tar in tars]))
    ids = [plain(f"{entry.tar.path.relative_to(common).as_posix()}/{entry.key}") for entry in entries]
    labels = np.array(numbers, np.int64)
    return Split(ids, labels, lambda row: _sample(entries[row], ids[row], int(labels[row]), options))


def _caption(entry: TarEntry) -> str | None:
    if "txt" in entry.texts:
        return entry.texts["txt"].decode("utf-8", errors="replace")
    caption = meta_of(entry).get("caption")
    return caption if isinstance(caption, str) else None


def _sample(entry: TarEntry, name: str, label: int, options: WebDataset) -> Sample:
    fields = options.fields
    main = main_image(entry, fields, options.endings)
    return Sample(
        id=name, image=entry.tar.read(entry.images[main]), extension=main, label=label, caption=_caption(entry),
        fields={extension: entry.tar.read(entry.images[extension]) for extension in fields}, meta=meta_of(entry),
    )  # fmt: skip
