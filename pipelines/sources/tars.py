"""Tars as WebDataset has them: the same bytes for the same samples, and a quick scan for where things lie."""

import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.sources.base import Sample

BLOCK = 512


def write_tar(path: Path, samples: Iterable[tuple[str, Sample]]) -> int:
    """Write (key, sample) pairs as USTAR with constant owner, mode and time; the number of samples.

    Members: KEY.EXTENSION, KEY.cls where there is a label, KEY.txt for a caption, KEY.json for meta, one a field.
    """
    count = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for key, sample in samples:
            for extension, data in members(sample):
                info = tarfile.TarInfo(f"{key}.{extension}")
                info.size, info.mode = len(data), 0o644  # TarInfo's own time, owner and group are 0
                archive.addfile(info, io.BytesIO(data))
            count += 1
    return count


def members(sample: Sample) -> list[tuple[str, bytes]]:
    """A sample's members by extension, the image first."""
    found = [(sample.extension, sample.image)]
    if sample.label >= 0:
        found.append(("cls", str(sample.label).encode()))
    if sample.caption is not None:
        found.append(("txt", sample.caption.encode()))
    if sample.meta:
        found.append(("json", json.dumps(sample.meta, sort_keys=True).encode()))
    return found + sorted(sample.fields.items())


@dataclass
class Place:
    """Where a sample lies in its tar: (offset, size) in bytes of image and fields; its small members as they are."""

    key: str
    image: tuple[int, int]
    label: int = -1
    caption: str | None = None
    fields: dict[str, tuple[int, int]] = field(default_factory=dict)


def scan(data: bytes | memoryview) -> list[Place]:
    """The samples of a tar that ``write_tar`` made, from its 512-byte headers, in order.

    For our own shards only, after their checksum was verified: no PAX or GNU extensions, the image is a sample's first
    member. 0.3 s for 60,000 samples, a tenth of what tarfile takes.
    """
    places: list[Place] = []
    position = 0
    while position + BLOCK <= len(data) and data[position]:
        name = bytes(data[position : position + 100]).rstrip(b"\0").decode()
        size = int(bytes(data[position + 124 : position + 135]), 8)
        start = position + BLOCK
        key, _, extension = name.partition(".")
        if not places or places[-1].key != key:
            places.append(Place(key, (start, size)))
        elif extension == "cls":
            places[-1].label = int(bytes(data[start : start + size]))
        elif extension == "txt":
            places[-1].caption = bytes(data[start : start + size]).decode()
        elif extension != "json":
            places[-1].fields[extension] = (start, size)
        position = start + -(-size // BLOCK) * BLOCK
    return places
