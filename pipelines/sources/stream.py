"""What a worker of the streaming path does: read samples by offset, decode each once, cut crops."""

import os
from collections.abc import Callable, Iterator, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from pipelines.randomness import generator
from pipelines.sources.images import Unreadable, open_image, square, to_array
from pipelines.sources.reader import ShardSet

Cut = Callable[[Tensor, torch.Generator], list[Tensor]]
"""(3, H, W) uint8 and a generator to one (3, h, w) uint8 tensor a view; the sizes are the same for every image."""
Request = tuple[int, list[int]]
"""Epoch and positions of one batch."""
Content = dict[str, Any]
"""The fields of a Batch, by name: the loader pins tensors in a dict, not in a class of ours."""


class TarSamples(Dataset[Content]):
    """The samples of a split (or of a subset's rows), one batch a request.

    A crop's generator is seeded by (seed, epoch, row in the split): the same crops for any number of workers and ranks.
    """

    def __init__(
        self, shards: ShardSet, split: str, seed: int, cut: Cut | None, subset: NDArray[np.int64] | None
    ) -> None:
        self.table = shards.table(split)
        self.rows = np.arange(len(self.table)) if subset is None else subset
        self.side, self.channels = shards.index.image_size, shards.index.channels
        self.field_channels = dict(shards.index.field_channels)
        self.decoding = shards.index.decoding
        self.tars = [Tar(path) for path in shards.paths(split)]
        self.seed, self.cut = seed, cut

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, request: Request) -> Content:
        """One batch; where an image cannot be read, ``problem`` alone: an error would reach the trainer as a traceback."""
        try:
            return self._batch(*request)
        except (Unreadable, OSError) as error:
            return {"problem": str(error)}

    def _batch(self, epoch: int, positions: list[int]) -> Content:
        rows = self.rows[positions].tolist()
        pixels = (
            self._crops(rows, epoch) if self.cut else {"images": self._whole(self.table.image, rows, self.channels)}
        )
        return pixels | {
            "index": torch.tensor(positions, dtype=torch.int64),
            "label": torch.from_numpy(self.table.label[rows]),
            "captions": None if self.table.captions is None else [self.table.captions[row] for row in rows],
            "fields": {
                name: self._whole(places, rows, self.field_channels[name]) for name, places in self.table.fields.items()
            },
        }

    def _read(self, places: NDArray[np.int64], row: int) -> bytes:
        return self.tars[int(self.table.shard[row])].read(*places[row].tolist())

    def _whole(self, places: NDArray[np.int64], rows: list[int], channels: int) -> Tensor:
        images = np.empty((len(rows), channels, self.side, self.side), np.uint8)
        for number, row in enumerate(rows):
            images[number] = to_array(square(open_image(self._read(places, row), self.decoding), self.side), channels)
        return torch.from_numpy(images)

    def _crops(self, rows: list[int], epoch: int) -> Content:
        assert self.cut is not None
        views = []
        for row in rows:
            image = torch.from_numpy(to_array(open_image(self._read(self.table.image, row), self.decoding), 3).copy())
            views.append(self.cut(image, generator(self.seed, "crops", epoch, row)))
        return {"crops": tuple(torch.stack(crops) for crops in zip(*views))}


class Tar:
    """A tar that is opened when it is first read from, and can be sent to another process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; several processes may share the open file."""
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY)
        return os.pread(self._file, size, offset)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_file": None}

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)


class Requests(Sampler[Request], Sized):
    """The batches of the epoch to come; the loader fills the list before each epoch."""

    def __init__(self) -> None:
        self.listed: list[Request] = []

    def __iter__(self) -> Iterator[Request]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)
