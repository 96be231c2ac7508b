"""A split as one uint8 array: decoded once, kept beside the shards, and mapped into memory by every later process."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.files import replacing
from pipelines.sources.caches import is_whole, seal
from pipelines.sources.locking import locked_folder
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.sources.whole import whole

THUMBNAIL = 64
"""Side in pixels up to which one thread decodes as fast as several."""


@dataclass(frozen=True)
class Arrays:
    """N samples in reading order.

    images    (N, C, S, S) uint8, mapped from a file; C is 1 where all images of the data set are grey, else 3,
              or what the data set says
    labels    (N,) int64, -1 where there is none
    captions  N strings, or None
    fields    further images by name, (N, C, S, S) uint8 with C 1 or 3
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    captions: list[str] | None = None
    fields: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


def resident(shards: ShardSet | Path, split: str, image_size: int | None = None) -> Arrays:
    """A whole split, decoded to ``image_size`` (none: the index's): short side resized, centre cropped, see ``square``.

    The first call decodes the verified shards into ``cache-SPLIT-SIZE-INDEX.npy`` beside them; later ones map that file
    while it is as it was left. INDEX is the fingerprint of the index it was made from. Of two processes at once the
    second waits for the first. Where the folder cannot be written, the arrays are in memory only. A change to them stays
    in this process.
    """
    if isinstance(shards, Path):
        shards = open_shards(shards)
    side = image_size or shards.index.image_size
    with locked_folder(shards.folder):
        table = shards.table(split)
        decoder = _Decoder(shards, split, side, table.shard)
        images = decoder.array("", table.image, shards.index.channels)
        fields = {
            name: decoder.array(name, table.fields[name], shards.index.field_channels[name]) for name in table.fields
        }
    return Arrays(images, table.label, table.captions, fields)


def resident_bytes(shards: ShardSet, image_size: int | None = None) -> int:
    """Bytes that the images of train take as one array."""
    side = image_size or shards.index.image_size
    return shards.index.count("train") * shards.index.channels * side**2


@dataclass(frozen=True)
class _Decoder:
    """Makes the arrays of one split; numbers (N,) are the samples' tars."""

    shards: ShardSet
    split: str
    side: int
    numbers: NDArray[np.int64]

    def array(self, name: str, places: NDArray[np.int64], channels: int) -> NDArray[np.uint8]:
        """The images at places (N, 2), mapped from their cache file, which is made first where it is missing."""
        folder, shape = self.shards.folder, (len(places), channels, self.side, self.side)
        parts = ["cache", self.split, str(self.side), name, self.shards.index.fingerprint]
        path = folder / f"{'-'.join(part for part in parts if part)}.npy"
        if not _is_cache(path, shape):
            if not os.access(folder, os.W_OK):
                images = np.empty(shape, np.uint8)
                self._fill(images, places)
                return images
            with replacing(path) as part:
                self._fill(np.lib.format.open_memmap(part, "w+", np.uint8, shape), places)
            seal(path)
        return np.load(path, mmap_mode="c")  # copy on write: torch wants memory it may write to

    def _fill(self, images: NDArray[np.uint8], places: NDArray[np.int64]) -> None:
        """Decode tar by tar. Decoding lets other threads run, which pays off for images larger than thumbnails."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            in_turn = map if self.side <= THUMBNAIL else pool.map
            for number, shard in enumerate(self.shards.index.splits[self.split]):
                data = self.shards.verified_bytes(shard)
                rows = np.flatnonzero(self.numbers == number)

                def decode(row: int, data: bytes = data) -> None:
                    start, size = places[row]
                    decoding = self.shards.index.decoding
                    images[row] = whole(data[start : start + size], decoding, self.side, images.shape[1])

                for _ in in_turn(decode, rows.tolist()):
                    pass


def _is_cache(path: Path, shape: tuple[int, ...]) -> bool:
    try:
        return is_whole(path) and np.load(path, mmap_mode="r").shape == shape
    except (OSError, ValueError, EOFError):
        return False
