"""Where every sample of a split lies in its tars, as arrays: what reading by offset, and in order, goes by."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.files import replacing
from pipelines.sources.index import Shard
from pipelines.sources.tars import MemberPlace
from pipelines.spec.layout import NOTES


@dataclass(frozen=True)
class SampleTable:
    """Where the N samples of a split, or of one tar, lie, in reading order.

    key     (N,) ASCII bytes, its name in the tar
    shard   (N,) number of the tar
    image   (N, 2) offset and size in bytes
    label   (N,) class number, -1 where there is none
    fields  by name (of one tar: by extension), (N, 2) offset and size
    """

    key: NDArray[np.bytes_]
    shard: NDArray[np.int64]
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    captions: list[str] | None
    fields: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.shard)

    def at(self, rows: NDArray[np.int64]) -> "SampleTable":
        """Of these samples alone, rows (n,)."""
        captions = None if self.captions is None else [self.captions[row] for row in rows.tolist()]
        fields = {name: where[rows] for name, where in self.fields.items()}
        return SampleTable(self.key[rows], self.shard[rows], self.image[rows], self.label[rows], captions, fields)


def table_of(places: Sequence[MemberPlace]) -> SampleTable:
    """The table of one tar: its captions and fields are those that all of its samples have."""
    captions = [place.caption for place in places if place.caption is not None]
    extensions = set.intersection(*(set(place.fields) for place in places)) if places else set()
    return SampleTable(
        np.array([place.key.encode() for place in places], np.bytes_),
        np.zeros(len(places), np.int64),
        np.array([place.image for place in places], np.int64).reshape(-1, 2),
        np.array([place.label for place in places], np.int64),
        captions if len(captions) == len(places) else None,
        {name: np.array([place.fields[name] for place in places], np.int64) for name in sorted(extensions)},
    )


def joined(tables: Sequence[SampleTable], fields: Mapping[str, str], captions: bool) -> SampleTable:
    """The table of a split from those of its tars; ``fields``: name -> extension, of those that all samples have."""
    return SampleTable(
        np.concatenate([table.key for table in tables]),
        np.repeat(np.arange(len(tables)), [len(table) for table in tables]),
        np.concatenate([table.image for table in tables]),
        np.concatenate([table.label for table in tables]),
        [text for table in tables for text in table.captions or ()] if captions else None,
        {name: np.concatenate([table.fields[extension] for table in tables]) for name, extension in fields.items()},
    )


def places_file(folder: Path, shard: Shard) -> Path:
    """Where packing leaves the table of a tar, so that nobody has to read the tar for it."""
    return folder / NOTES / f"{shard.name}.{shard.sha256[:16]}.npz"


def save_table(path: Path, table: SampleTable) -> None:
    """Write a table in one move."""
    extra: dict[str, Any] = {f"field:{name}": where for name, where in table.fields.items()}
    if table.captions is not None:
        extra["captions"] = np.frombuffer(json.dumps(table.captions).encode(), np.uint8)
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, key=table.key, shard=table.shard, image=table.image, label=table.label, **extra)


def load_table(path: Path) -> SampleTable | None:
    """A table from its file; None where there is none, or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            captions = json.loads(file["captions"].tobytes()) if "captions" in file.files else None
            fields = {name[6:]: file[name] for name in file.files if name.startswith("field:")}
            return SampleTable(file["key"], file["shard"], file["image"], file["label"], captions, fields)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
