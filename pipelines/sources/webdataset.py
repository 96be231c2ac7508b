"""Existing WebDataset tars: samples are neighbouring members with one key; an image and cls, txt or json members each.

They are packed anew (shuffled, checksummed), with the image bytes as they are. Tars are read with the standard library.
"""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import InputError
from pipelines.listing.kinds import EXTENSIONS, Skipped
from pipelines.listing.paths import expand
from pipelines.listing.tars import Entry, entries_of
from pipelines.sources.base import Labels, Sample, Source, Split
from pipelines.sources.strata import stratified_share
from pipelines.spec.datasets.webdataset import Options as WebDataset

MOST_CLASSES = 1_000_000
"""A larger label is an id, not a class."""


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
    told = f"train: {options.train}; test: {options.test or f'{options.test_share:.0%} of it'}; {len(given)} classes"
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
    fields, labelled = options.fields, options.labels == "auto"
    tars = expand(pattern)
    entries = [entry for tar in tars for entry in entries_of(tar, skipped)]
    if not entries:
        raise InputError(f"{pattern}: the tars hold no samples")
    for entry in entries:
        main = _main_image(entry, fields)
        for name in entry.images:
            if name != main and name not in fields:
                skipped.add(f".{name} (not in dataset.fields)", f"{entry.tar.path.name}/{entry.key}.{name}")
    common = Path(os.path.commonpath([tar.parent for tar in tars]))
    ids = [f"{entry.tar.path.relative_to(common).as_posix()}/{entry.key}" for entry in entries]
    labels = np.array([_label(entry) if labelled else -1 for entry in entries], np.int64)
    return Split(ids, labels, lambda row: _sample(entries[row], ids[row], int(labels[row]), fields))


def _main_image(entry: Entry, fields: tuple[str, ...]) -> str:
    plain = [extension for extension in entry.images if extension in EXTENSIONS and extension not in fields]
    if len(plain) == 1 and all(extension in entry.images for extension in fields):
        return plain[0]
    dotted = next((name for name in entry.images if name not in EXTENSIONS and name not in fields), None)
    if not plain and dotted:
        raise InputError(
            f"{entry.tar.path}: {entry.key}.{dotted}: WebDataset cuts the key at the first dot, so this is member "
            f"{dotted} of sample {entry.key}, which has no image; rename the file to "
            f"{entry.key}{'_'.join(['', *dotted.split('.')[:-1]])}.{dotted.rpartition('.')[2]} (no other dot in it)"
        )
    missing = [extension for extension in fields if extension not in entry.images]
    lacks = f"no {missing[0]}" if missing else f"{len(plain)} images"
    raise InputError(
        f"{entry.tar.path}: sample {entry.key} has {lacks}; every sample needs one image and dataset.fields"
    )


def _json(entry: Entry) -> dict[str, Any]:
    if "json" not in entry.texts:
        return {}
    try:
        value = json.loads(entry.texts["json"])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{entry.tar.path}: {entry.key}.json is not JSON ({error})") from None
    return value if isinstance(value, dict) else {"json": value}


def _label(entry: Entry) -> int:
    """The cls member, else ``cls`` or ``label`` of the json member, else -1."""
    if "cls" in entry.texts:
        value: Any = entry.texts["cls"].decode(errors="replace").strip()
    else:
        meta = _json(entry)
        value = meta.get("cls", meta.get("label"))
    if value is None:
        return -1
    try:
        label = -2.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        label = -2.0
    if not label.is_integer() or not -1 <= label < MOST_CLASSES:
        raise InputError(
            f"{entry.tar.path}: label {value!r} of sample {entry.key} is no class number; use 0, 1, ... "
            "(-1, or no member, for none), or take the images alone with dataset.labels: none"
        )
    return int(label)


def _caption(entry: Entry) -> str | None:
    if "txt" in entry.texts:
        return entry.texts["txt"].decode("utf-8", errors="replace")
    caption = _json(entry).get("caption")
    return caption if isinstance(caption, str) else None


def _sample(entry: Entry, name: str, label: int, fields: tuple[str, ...]) -> Sample:
    main = _main_image(entry, fields)
    return Sample(
        id=name, image=entry.tar.read(entry.images[main]), extension=main, label=label, caption=_caption(entry),
        fields={extension: entry.tar.read(entry.images[extension]) for extension in fields}, meta=_json(entry),
    )  # fmt: skip
