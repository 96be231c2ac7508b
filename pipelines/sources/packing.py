"""One shard: samples checked by decoding and packed into a tar, with a note of what is in it, so that a run resumes."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.files import read_sealed, replacing, sealed, sha256_file, write_json
from pipelines.sources.base import Sample, Split
from pipelines.sources.caches import seal
from pipelines.sources.channels import as_stored, scaled, square_channels
from pipelines.sources.images import Decoding, Unreadable, decoded, is_extreme, open_image, reduced, square, to_array
from pipelines.sources.index import Shard
from pipelines.sources.stored import Stored
from pipelines.sources.table import places_file, save_table, table_of
from pipelines.sources.tars import write_tar
from pipelines.spec.layout import NOTES

CONTENT = 5
"""Grows with what a note holds, so that shards are packed again where a note of an earlier program lacks it."""


@dataclass(frozen=True)
class PackingPlan:
    """A shard to be: its name, the rows of its split it takes in order, which of them are held out.

    first   number of its first sample in the split's order
    digest  of everything the bytes depend on that is known beforehand
    """

    name: str
    split: str
    first: int
    rows: tuple[int, ...]
    held_out: frozenset[int]
    digest: str


@dataclass(frozen=True)
class How:
    """How images are decoded to be looked at: side in pixels (none: as they are), orientation and alpha."""

    image_size: int | None
    decoding: Decoding


@dataclass
class Found:
    """What was seen while packing.

    holdout      positions, among the samples kept, of those held out
    sizes        "WIDTHxHEIGHT" -> id of the first image that has it
    grey         images with one channel; captions: samples with one
    fields       extension -> channels, 1 where all are grey
    pixels       of the train images that are not held out; sums, squares: of their values a channel, exact
    changed      images with alpha, in cmyk, turned by their EXIF tag, deep (more than 8 bits), of several frames
    labels       class number, as text -> images
    held_labels  the same of those held out
    unreadable   the images left out
    hashes       [hash of the bytes, id] of the others
    extreme      images with one side many times as long as the other: "ID (WIDTHxHEIGHT)"
    lowest, highest  stored value of each channel, where the data set says how many there are
    """

    holdout: list[int] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)
    grey: int = 0
    captions: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    pixels: int = 0
    sums: list[int] = field(default_factory=lambda: [0, 0, 0])
    squares: list[int] = field(default_factory=lambda: [0, 0, 0])
    unreadable: list[dict[str, str]] = field(default_factory=list)
    changed: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    held_labels: dict[str, int] = field(default_factory=dict)
    hashes: list[list[str]] = field(default_factory=list)
    extreme: list[str] = field(default_factory=list)
    lowest: list[int] = field(default_factory=list)
    highest: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Note:
    """A finished shard, what it was made from and what was found."""

    digest: str
    shard: Shard
    found: Found


def finished(out: Path, plan: PackingPlan) -> Note | None:
    """The note of a shard that an earlier run finished, if it is still what was planned and its bytes are whole."""
    path = out / NOTES / f"{plan.name}.json"
    try:
        value = read_sealed(path, "pack it again")
        note = Note(**{**value, "shard": Shard(**value["shard"]), "found": Found(**value["found"])})
    except (InputError, TypeError, KeyError):
        return None
    tar = out / plan.name
    whole = note.digest == plan.digest and tar.is_file() and sha256_file(tar) == note.shard.sha256
    return note if whole else None


def pack(out: Path, plan: PackingPlan, split: Split, how: How, may_fail: int) -> Note:
    """Write one shard and its note. InputError as soon as more than ``may_fail`` of its images are unreadable."""
    zeros = [0] * (how.decoding.channels or 3)
    found = Found(sums=[*zeros], squares=[*zeros])
    with replacing(out / plan.name) as part:
        places = write_tar(part, _samples(plan, split, how, found, may_fail))
        shard = Shard(name=plan.name, sha256=sha256_file(part), bytes=part.stat().st_size, count=len(places))
    for old in (out / NOTES).glob(f"{plan.name}.*.npz"):
        old.unlink()  # of other bytes
    save_table(places_file(out, shard), table_of(places))
    seal(places_file(out, shard))
    note = Note(plan.digest, shard, found)
    write_json(out / NOTES / f"{plan.name}.json", sealed(asdict(note)))
    return note


def _samples(plan: PackingPlan, split: Split, how: How, found: Found, may_fail: int) -> Iterator[tuple[str, Sample]]:
    """Readable samples with their keys; what is seen of them, and the unreadable ones, go to ``found``."""
    kept = 0
    for number, row in enumerate(plan.rows):
        try:
            sample = split.read(row)
            _inspect(sample, plan.split == "train" and row not in plan.held_out, how, found)
        except (OSError, Unreadable) as error:
            found.unreadable.append({"split": plan.split, "id": split.ids[row], "reason": str(error)})
            if len(found.unreadable) > may_fail:
                raise too_many(found.unreadable, may_fail) from None
            continue
        if row in plan.held_out:
            found.holdout.append(kept)
            found.held_labels[str(sample.label)] = found.held_labels.get(str(sample.label), 0) + 1
        kept += 1
        yield f"{plan.first + number:08d}-{_slug(sample.id)}", sample


def too_many(unreadable: list[dict[str, str]], may_fail: int) -> InputError:
    """The refusal of a data set with too many broken images."""
    first = "; ".join(f"{item['split']} {item['id']} ({item['reason']})" for item in unreadable[:5])
    return InputError(
        f"{len(unreadable)} unreadable images, dataset.max_unreadable allows {may_fail}: {first}"
        f"{'; ...' if len(unreadable) > 5 else ''}; mend or remove them, or raise dataset.max_unreadable"
    )


def _inspect(sample: Sample, measured: bool, how: How, found: Found) -> None:
    """Decode every image of a sample and note what it is, its pixels if ``measured``; Unreadable leaves no trace."""
    if how.decoding.channels:
        image = as_stored(sample.image, how.decoding)
        _note(sample, (image.shape[1], image.shape[0]), found)
        _note_values(image, found)
        if measured:
            _measure(square_channels(scaled(image, how.decoding), how.image_size), found)
        return
    _inspect_picture(sample, measured, how, found)


def _inspect_picture(sample: Sample, measured: bool, how: How, found: Found) -> None:
    """Of an image that is grey or RGB."""
    image, changed = decoded(sample.image, how.decoding)
    fields = {name: 1 if open_image(data, how.decoding).mode == "L" else 3 for name, data in sample.fields.items()}
    _note(sample, image.size, found)
    found.grey += image.mode == "L"
    for what in [*changed, *reduced(sample.image)]:
        found.changed[what] = found.changed.get(what, 0) + 1
    found.fields |= {name: max(channels, found.fields.get(name, 1)) for name, channels in fields.items()}
    if measured:
        whole = square(image, how.image_size) if how.image_size else image
        _measure(to_array(whole, 1 if image.mode == "L" else 3), found)


def _note(sample: Sample, size: tuple[int, int], found: Found) -> None:
    """What there is to note of every image; size: width and height."""
    found.hashes.append([hashlib.sha256(sample.image).hexdigest()[:32], sample.id])
    found.sizes.setdefault(f"{size[0]}x{size[1]}", sample.id)
    if is_extreme(size):
        found.extreme.append(f"{sample.id} ({size[0]}x{size[1]})")
    found.labels[str(sample.label)] = found.labels.get(str(sample.label), 0) + 1
    found.captions += sample.caption is not None


def _note_values(image: Stored, found: Found) -> None:
    """The lowest and the highest stored value of each channel (H, W, C)."""
    low, high = image.min((0, 1)).tolist(), image.max((0, 1)).tolist()
    found.lowest = [min(pair) for pair in zip(found.lowest or low, low, strict=True)]
    found.highest = [max(pair) for pair in zip(found.highest or high, high, strict=True)]


def _measure(pixels: NDArray[np.uint8], found: Found) -> None:
    """Add an image (C, H, W) to the sums; grey counts as three equal channels."""
    values = pixels.reshape(len(pixels), -1).astype(np.int64)
    found.pixels += values.shape[1]
    for total, each in ((found.sums, values.sum(1)), (found.squares, (values**2).sum(1))):
        for channel in range(len(total)):
            total[channel] += int(each[channel % len(each)])


def _slug(name: str) -> str:
    """What of an id may stand in a key: a dot would end it, and a tar's names are short."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter == "-") else "_" for letter in name)[-60:]
