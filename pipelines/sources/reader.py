"""Shards back to samples: checksums first, then where each sample lies, then pixels.

Any WebDataset reader can read the shards; this one is exact. A reader that skips what it cannot read would hide a
damaged shard, so every shard's SHA-256 and sample count are compared with the index before its samples are used.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.advice import rebuild
from pipelines.errors import DamagedFile, InputError
from pipelines.files import sha256_file
from pipelines.sources.caches import is_damaged, is_whole, seal
from pipelines.sources.checked import one_at_a_time, remember, remembered, stamp
from pipelines.sources.index import Index, Shard, load_index
from pipelines.sources.table import SampleTable, joined, load_table, places_file, save_table, table_of
from pipelines.sources.tars import scan

Rows = NDArray[np.int64]
"""(n,) positions in a split."""


@dataclass
class ShardSet:
    """A finished folder of shards.

    verified     the tars that this process knows to be right
    stamps       name of a tar -> its size and time of change when it was opened
    copied_from  the folder that they were packed in, where this is another one that holds copies of the tars
    """

    folder: Path
    index: Index
    verified: set[str] = field(default_factory=set)
    stamps: dict[str, list[int]] = field(default_factory=dict)
    copied_from: Path | None = None

    @property
    def advice(self) -> str:
        """The way out of a damaged tar."""
        return f"copy it there again from {self.copied_from}" if self.copied_from else rebuild(self.folder)

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

    def within(self, split: str, subset: Rows | None) -> "tuple[ShardSet, str, Rows | None]":
        """Where the images of a split, or of some rows of it, are read from: shards, split and rows of that one."""
        return self, split, subset

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
            for _ in pool.map(self.check, shards):
                pass
        remember(self.folder, {shard.name: shard.sha256 for shard in shards})

    def check_unchanged(self, split: str) -> None:
        """Ask once more, after samples were used: InputError names a tar or cache of the split that was damaged meanwhile."""
        for shard in self.index.splits[split]:
            now = stamp(self.folder / shard.name)
            if now != self.stamps.get(shard.name, now):
                self.check(shard)
                self.stamps[shard.name] = now
        for cache in self.folder.glob(f"cache-{split}-*{self.index.fingerprint}.np[yz]"):
            if is_damaged(cache):
                raise DamagedFile(f"{cache}: its bytes changed while it was used; run the same command again")

    def _known(self, split: str) -> bool:
        """Whether all of a split's tars are known to be right."""
        digests = {shard.name: shard.sha256 for shard in self.index.splits[split]}
        self.verified |= remembered(self.folder, {name: digests[name] for name in digests.keys() - self.verified})
        return digests.keys() <= self.verified

    def check(self, shard: Shard) -> None:
        """Compare size and SHA-256 of one tar with the index, whatever is remembered. InputError names it."""
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

    def table(self, split: str) -> SampleTable:
        """Where the samples of a split lie: put together once, then from a file beside the shards, named after the index."""
        path = self.folder / f"cache-{split}-{self.index.fingerprint}.npz"
        table = load_table(path) if is_whole(path) else None
        if table is None:
            pieces = [self._table_of(shard) for shard in self.index.splits[split]]
            table = joined(pieces, self.index.fields, self.index.captions)
            if os.access(self.folder, os.W_OK):
                save_table(path, table)
                seal(path)
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

    def _table_of(self, shard: Shard) -> SampleTable:
        """The table of one tar: as packing left it, else from a scan of the tar."""
        noted = load_table(path) if is_whole(path := places_file(self.folder, shard)) else None
        if noted is not None and len(noted) == shard.count:
            return noted
        places = scan(self.verified_bytes(shard))
        if len(places) != shard.count:
            raise InputError(
                f"{self.folder / shard.name}: index lists {shard.count} samples, tar holds {len(places)}; {self.advice}"
            )
        return table_of(places)


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
            shards.stamps[shard.name] = stamp(path)
    return shards
