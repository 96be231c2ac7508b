"""The samples of existing WebDataset tars: which image is a sample's own, its class number, and what else it says."""

import json
import re
from pathlib import Path
from typing import Any

from pipelines.errors import InputError
from pipelines.listing.kinds import EXTENSIONS, Skipped
from pipelines.listing.tars import TarEntry, entries_of

MOST_CLASSES = 1_000_000
"""A larger label is an id, not a class."""
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
"""Of texts only: Python itself also takes 1_0 for ten."""
MOST_SEEN = 100
"""Samples without a label that are looked at for what could be one."""


def labelled(
    tars: list[Path],
    pattern: str,
    fields: tuple[str, ...],
    skipped: Skipped,
    endings: frozenset[str] = EXTENSIONS,
    labels: bool = True,
) -> tuple[list[TarEntry], list[int]]:
    """``samples_of``, and the class number of each: -1 for none, and where ``labels`` are not to be read.

    InputError also where no sample has one, and something else in the tars could be it.
    """
    before = dict(skipped.counts)
    entries = samples_of(tars, pattern, fields, skipped, endings)
    if not labels:
        return entries, [-1] * len(entries)
    numbers = [label_of(entry) for entry in entries]
    if max(numbers) < 0:
        beside = [kind for kind, count in skipped.counts.items() if count - before.get(kind, 0) >= len(entries)]
        _ask(entries[:MOST_SEEN], [kind for kind in beside if kind.startswith(".")], pattern)
    return entries, numbers


def _ask(entries: list[TarEntry], beside: list[str], pattern: str) -> None:
    """InputError where samples without a label have something that may have been meant as one."""
    told = sorted({key for entry in entries for key, value in meta_of(entry).items() if _may_be_label(key, value)})
    texts = [entry.texts.get("txt", b"").decode(errors="replace") for entry in entries]
    folders = sorted({entry.key.rpartition("/")[0] for entry in entries})
    if beside:
        found = f"each has a member {beside[0]}, which is not read; call it .cls where it is the class number"
    elif told == ["json"]:
        found = 'the json members are no objects; write {"label": 0} where they are class numbers'
    elif told:
        found = f"the json members hold {', '.join(told[:5])}; call the one that is the class number label"
    elif all(map(NUMBER.fullmatch, texts)):
        found = "the txt members, which are captions, are numbers; call them .cls where those are classes"
    elif len(folders) > 1:
        found = f"they lie in folders ({', '.join(folders[:3])}); where those are classes, unpack the tars for use: imagefolder"
    else:
        return
    raise InputError(
        f"{pattern}: no sample has a label (a cls member, or cls or label in the json), and {found}; else write "
        "dataset.labels: none"
    )


def _may_be_label(key: str, value: Any) -> bool:
    return key not in ("cls", "label", "caption", "captions") and isinstance(value, int | float | str)


def samples_of(
    tars: list[Path], pattern: str, fields: tuple[str, ...], skipped: Skipped, endings: frozenset[str] = EXTENSIONS
) -> list[TarEntry]:
    """All samples of the tars that ``pattern`` means, in their order; what is no part of one is counted.

    InputError for a damaged tar, a sample without image, or no sample at all.
    """
    entries = [entry for tar in tars for entry in entries_of(tar, skipped, endings=endings)]
    if not entries:
        raise InputError(f"{pattern}: the tars hold no samples")
    for entry in entries:
        main = main_image(entry, fields, endings)
        for name in entry.images:
            if name != main and name not in fields:
                skipped.add(f".{name} (not in dataset.fields)", f"{entry.tar.path.name}/{entry.key}.{name}")
    return entries


def main_image(entry: TarEntry, fields: tuple[str, ...], endings: frozenset[str] = EXTENSIONS) -> str:
    """The extension of the one image that is no further field; InputError where there is not one."""
    plain = [extension for extension in entry.images if extension in endings and extension not in fields]
    if len(plain) == 1 and all(extension in entry.images for extension in fields):
        return plain[0]
    dotted = next((name for name in entry.images if name not in endings and name not in fields), None)
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


def meta_of(entry: TarEntry) -> dict[str, Any]:
    """The json member; InputError where it is not JSON."""
    if "json" not in entry.texts:
        return {}
    try:
        value = json.loads(entry.texts["json"])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{entry.tar.path}: {entry.key}.json is not JSON ({error})") from None
    return value if isinstance(value, dict) else {"json": value}


def label_of(entry: TarEntry) -> int:
    """The cls member, else ``cls`` or ``label`` of the json member, else -1; InputError where it is no class number."""
    if "cls" in entry.texts:
        value: Any = entry.texts["cls"].decode(errors="replace").strip()
    else:
        meta = meta_of(entry)
        value = next((meta[name] for name in ("cls", "label") if meta.get(name) is not None), None)
    if value is None:
        return -1
    try:
        wrong = isinstance(value, bool) or (isinstance(value, str) and not NUMBER.fullmatch(value))
        label = -2.0 if wrong else float(value)
    except (TypeError, ValueError, OverflowError):
        label = -2.0
    if not label.is_integer() or not -1 <= label < MOST_CLASSES:
        raise InputError(
            f"{entry.tar.path}: label {value!r} of sample {entry.key} is no class number; use 0, 1, ... "
            "(-1, or no member, for none), or take the images alone with dataset.labels: none"
        )
    return int(label)
