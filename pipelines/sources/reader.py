"""Shards back to samples: checksums first, then where each sample lies, then pixels.

Any WebDataset reader can read the shards; this one is exact. A reader that skips what it cannot read would hide a
damaged shard, so every shard's SHA-256 and sample count are compared with the index before its samples are used.
"""

import hashlib
import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.files import replacing, sha256_file
from pipelines.sources.checked import one_at_a_time, remember, remembered
from pipelines.sources.index import REBUILD, Index, Shard, load_index
from pipelines.sources.tars import scan


@dataclass(frozen=True)
class Table:
    """Where the N samples of a split lie, in reading order.

    key     (N,) ASCII bytes, its name in the tar
    shard   (N,) number of the tar
    image   (N, 2) offset and size in bytes
    label   (N,) class number, -1 where there is none
    fields  by name, (N, 2) offset and size
    """

    key: NDArray[np.bytes_]
    shard: NDArray[np.int64]
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    captions: list[str] | None
    fields: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.shard)


@dataclass
class ShardSet:
    """A finished folder of shards. ``verified`` names the tars that this process knows to be right.

    copied_from: the folder that they were packed in, where this is another one that holds copies of the tars.
    """

    folder: Path
    index: Index
    verified: set[str] = field(default_factory=set)
    copied_from: Path | None = None

    @property
    def advice(self) -> str:
        """The way out of a damaged tar."""
        return (
            f"copy it there again from {self.copied_from}" if self.copied_from else REBUILD.format(folder=self.folder)
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class number."""
        return self.index.classes

    @property
    def holdout(self) -> NDArray[np.int64]:
        """Sorted positions in train that are kept for choosing."""
        return np.array(self.index.holdout, np.int64)

    @property
    def pretraining(self) -> NDArray[np.int64]:
        """Sorted positions in train that are not held out."""
        return np.setdiff1d(np.arange(self.index.count("train")), self.holdout)

    def paths(self, split: str) -> list[Path]:
        """The tars of a split, in reading order."""
        return [self.folder / shard.name for shard in self.index.splits[split]]

    def ids(self, split: str) -> list[str]:
        """Every sample's name in the tars, in reading order."""
        return [key.decode() for key in self.table(split).key.tolist()]

    def verify(self, split: str) -> None:
        """Compare the SHA-256 of a split's tars with the index, unless that was done before by anybody and they have not
        changed since (see ``checked``). InputError names a tar that differs."""
        if self._known(split):
            return
        with one_at_a_time(self.folder):
            if not self._known(split):
                self.rehash(split)

    def rehash(self, split: str) -> None:
        """Compare the SHA-256 of all of a split's tars with the index, whatever is remembered."""
        shards = self.index.splits[split]
        with ThreadPoolExecutor(4) as pool:  # hashing lets other threads run
            for _ in pool.map(self._hash, shards):
                pass
        remember(self.folder, {shard.name: shard.sha256 for shard in shards})

    def _known(self, split: str) -> bool:
        """Whether all of a split's tars are known to be right."""
        digests = {shard.name: shard.sha256 for shard in self.index.splits[split]}
        self.verified |= remembered(self.folder, {name: digests[name] for name in digests.keys() - self.verified})
        return digests.keys() <= self.verified

    def _hash(self, shard: Shard) -> None:
        path = self.folder / shard.name
        try:
            size, found = path.stat().st_size, sha256_file(path)
        except OSError as error:
            raise self._unreadable(path, error) from None
        self._compare(path, size, found, shard)

    def _compare(self, path: Path, size: int, found: str, shard: Shard) -> None:
        if size != shard.bytes:
            raise InputError(f"{path}: {size} bytes, the index says {shard.bytes}: cut off or changed; {self.advice}")
        if found != shard.sha256:
            raise InputError(
                f"{path}: SHA-256 is {found}, the index says {shard.sha256}: its bytes changed; {self.advice}"
            )
        self.verified.add(shard.name)

    def _unreadable(self, path: Path, error: OSError) -> InputError:
        return InputError(f"{path}: the index lists it, but it cannot be read ({error.strerror}); {self.advice}")

    def table(self, split: str) -> Table:
        """Where the samples of a split lie: scanned once, then from a file beside the shards, named after the index."""
        path = self.folder / f"cache-{split}-{self.index.fingerprint}.npz"
        table = _load_table(path)
        if table is None:
            table = self._scan(split)
            if os.access(self.folder, os.W_OK):
                with replacing(path) as part:
                    _save_table(part, table)
        return table

    def verified_bytes(self, shard: Shard) -> bytes:
        """A tar's bytes, hashed once a process. InputError when it is missing or differs from the index."""
        path = self.folder / shard.name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise self._unreadable(path, error) from None
        if shard.name not in self.verified:
            self._compare(path, len(data), hashlib.sha256(data).hexdigest(), shard)
        return data

    def _scan(self, split: str) -> Table:
        keys, numbers, images, labels, captions = [], [], [], [], []
        fields: dict[str, list[tuple[int, int]]] = {name: [] for name in self.index.fields}
        for number, shard in enumerate(self.index.splits[split]):
            places = scan(self.verified_bytes(shard))
            if len(places) != shard.count:
                raise InputError(
                    f"{self.folder / shard.name}: index lists {shard.count} samples, tar holds {len(places)}; {self.advice}"
                )
            keys += [place.key.encode() for place in places]
            numbers += [number] * len(places)
            images += [place.image for place in places]
            labels += [place.label for place in places]
            captions += [place.caption or "" for place in places]
            for name, extension in self.index.fields.items():
                fields[name] += [place.fields[extension] for place in places]
        arrays = {name: np.array(where, np.int64).reshape(-1, 2) for name, where in fields.items()}
        return Table(
            np.array(keys, np.bytes_), np.array(numbers, np.int64),
            np.array(images, np.int64).reshape(-1, 2), np.array(labels, np.int64),
            captions if self.index.captions else None, arrays,
        )  # fmt: skip


def open_shards(folder: Path) -> ShardSet:
    """Read the index and check that every tar is there with its size; hashing comes with use. InputError names it."""
    shards = ShardSet(folder, load_index(folder))
    for listed in shards.index.splits.values():
        for shard in listed:
            path = folder / shard.name
            if not path.is_file():
                raise InputError(f"{path}: the index lists it, but there is no such file; {shards.advice}")
            if (size := path.stat().st_size) != shard.bytes:
                raise InputError(
                    f"{path}: {size} bytes, the index says {shard.bytes}: cut off or changed; {shards.advice}"
                )
    return shards


def _save_table(path: Path, table: Table) -> None:
    extra: dict[str, Any] = {f"field:{name}": where for name, where in table.fields.items()}
    if table.captions is not None:
        extra["captions"] = np.frombuffer(json.dumps(table.captions).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, key=table.key, shard=table.shard, image=table.image, label=table.label, **extra)


def _load_table(path: Path) -> Table | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            captions = json.loads(file["captions"].tobytes()) if "captions" in file.files else None
            fields = {name[6:]: file[name] for name in file.files if name.startswith("field:")}
            return Table(file["key"], file["shard"], file["image"], file["label"], captions, fields)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
