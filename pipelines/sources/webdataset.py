"""Existing WebDataset tars: samples are neighbouring members with one key; an image and cls, txt or json members each.

They are packed anew (shuffled, checksummed), with the image bytes as they are. Tars are read with the standard library.
"""

import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import InputError
from pipelines.listing.kinds import EXTENSIONS
from pipelines.listing.paths import expand
from pipelines.sources.base import Sample, Source, Split
from pipelines.sources.strata import stratified_share
from pipelines.spec.datasets.webdataset import Options as WebDataset

TEXT = ("cls", "txt", "json")


@dataclass
class Entry:
    """Where a sample lies: its tar, its key, and (offset, size) of each image member by extension; its small texts."""

    tar: Path
    key: str
    images: dict[str, tuple[int, int]] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


def read(options: WebDataset) -> Source:
    """InputError for a pattern without tars, a damaged tar, a sample without image, a label that is no number."""
    train = _split(options.train, options)
    if options.test is not None:
        test = _split(options.test, options)
    else:
        chosen = stratified_share(train.labels, options.test_share, 0, "test")
        train, test = train.take(np.setdiff1d(np.arange(len(train)), chosen)), train.take(chosen)
    num_classes = max(train.labels.max(initial=-1), test.labels.max(initial=-1)) + 1
    return Source(tuple(str(number) for number in range(num_classes)), train, test)


def _split(pattern: str, options: WebDataset) -> Split:
    fields, labelled = options.fields, options.labels == "auto"
    entries = [entry for tar in expand(pattern) for entry in entries_of(tar)]
    if not entries:
        raise InputError(f"{pattern}: the tars hold no samples")
    for entry in entries:
        _main_image(entry, fields)
    ids = [f"{entry.tar.name}/{entry.key}" for entry in entries]
    return Split(
        ids,
        np.array([_label(entry, labelled) for entry in entries], np.int64),
        lambda row: _sample(entries[row], fields, labelled),
    )


def entries_of(tar: Path) -> list[Entry]:
    """The samples of an uncompressed tar, in its order. InputError when it is cut off or not a tar."""
    entries: list[Entry] = []
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                if member.isfile():
                    _add(entries, archive, member, tar)
            archive.fileobj.seek(archive.offset)  # type: ignore[union-attr]
            ended = archive.fileobj.read(512) == bytes(512)  # type: ignore[union-attr]
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{tar}: not a whole, uncompressed tar ({error}); fetch or unpack it anew") from None
    if not ended:
        raise InputError(f"{tar}: cut off after {len(entries)} samples (no end mark); fetch it anew")
    return entries


def _add(entries: list[Entry], archive: tarfile.TarFile, member: tarfile.TarInfo, tar: Path) -> None:
    folder, _, name = member.name.rpartition("/")
    stem, _, extension = name.partition(".")
    extension = extension.lower()
    key = f"{folder}/{stem}" if folder else stem
    if not stem or not extension:
        return
    if not entries or entries[-1].key != key:
        entries.append(Entry(tar, key))
    if extension.rpartition(".")[2] in EXTENSIONS:
        entries[-1].images[extension] = (member.offset_data, member.size)
    elif extension in TEXT:
        entries[-1].texts[extension] = archive.extractfile(member).read()  # type: ignore[union-attr]


def _main_image(entry: Entry, fields: tuple[str, ...]) -> str:
    plain = [extension for extension in entry.images if extension in EXTENSIONS and extension not in fields]
    missing = [extension for extension in fields if extension not in entry.images]
    if len(plain) != 1 or missing:
        lacks = f"no {missing[0]}" if missing else f"{len(plain)} images"
        raise InputError(
            f"{entry.tar}: sample {entry.key} has {lacks}; every sample needs one image and dataset.fields"
        )
    return plain[0]


def _json(entry: Entry) -> dict[str, Any]:
    if "json" not in entry.texts:
        return {}
    try:
        value = json.loads(entry.texts["json"])
    except ValueError as error:
        raise InputError(f"{entry.tar}: {entry.key}.json is not JSON ({error})") from None
    return value if isinstance(value, dict) else {"json": value}


def _label(entry: Entry, labelled: bool) -> int:
    """Unless there shall be none, the cls member, else ``cls`` or ``label`` of the json member, else -1."""
    if not labelled:
        return -1
    meta = _json(entry)
    value = (
        entry.texts["cls"].decode(errors="replace").strip()
        if "cls" in entry.texts
        else meta.get("cls", meta.get("label", -1))
    )
    try:
        label = int(value)
    except (TypeError, ValueError):
        label = -2
    if label < -1:
        raise InputError(
            f"{entry.tar}: label {value!r} of {entry.key} is no class number; use 0, 1, ... or -1 for none"
        )
    return label


def _caption(entry: Entry) -> str | None:
    if "txt" in entry.texts:
        return entry.texts["txt"].decode("utf-8", errors="replace")
    caption = _json(entry).get("caption")
    return caption if isinstance(caption, str) else None


def _sample(entry: Entry, fields: tuple[str, ...], labelled: bool) -> Sample:
    extension = _main_image(entry, fields)
    with entry.tar.open("rb") as file:
        data = {}
        for name in (extension, *fields):
            offset, size = entry.images[name]
            file.seek(offset)
            data[name] = file.read(size)
    return Sample(
        id=f"{entry.tar.name}/{entry.key}", image=data.pop(extension), extension=extension, label=_label(entry, labelled),
        caption=_caption(entry), fields=data, meta=_json(entry),
    )  # fmt: skip
