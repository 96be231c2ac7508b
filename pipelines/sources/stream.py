"""What a worker of the streaming path does: decode each image once, cut crops; and how it reads samples by offset."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from pipelines.randomness import generator
from pipelines.sources.encoded import Decode, as_stored, packed, planes, unpacked
from pipelines.sources.images import Decoding, Unreadable
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet
from pipelines.sources.whole import whole

Cut = Callable[[Tensor, torch.Generator], list[Tensor]]
"""(C, H, W) uint8 and a generator to one (C, h, w) uint8 tensor a view; the sizes are the same for every image."""
Request = tuple[int, list[int]]
"""Epoch and positions of one batch."""
Content = dict[str, Any]
"""The fields of a Batch, by name: the loader pins tensors in a dict, not in a class of ours."""


Read = Callable[[int, str], bytes]
"""Row and field (empty: the image itself) to the encoded bytes."""


class BadSample(Unreadable):
    """A sample that could be read when it was packed, and cannot be now; ``row``: its place in the split."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


class Developer:
    """Makes the fields of a batch from the encoded images of a split (or of a subset's rows).

    A crop's generator is seeded by (seed, epoch, row in the split): the same crops for any number of workers and ranks.
    decode: who decodes what is to be cut, in the training process (see ``finished``); none: the worker.
    """

    def __init__(
        self,
        shards: ShardSet,
        split: str,
        seed: int,
        cut: Cut | None,
        subset: NDArray[np.int64] | None,
        decode: Decode | None = None,
    ) -> None:
        self.table = shards.table(split)
        self.rows = np.arange(len(self.table)) if subset is None else subset
        self.side, self.channels = shards.index.image_size, shards.index.channels
        self.field_channels = dict(shards.index.field_channels)
        self.decoding = shards.index.decoding
        self.seed, self.cut, self.decode = seed, cut, decode

    def content(self, positions: list[int], epoch: int, read: Read) -> Content:
        """The samples at these positions, decoded, in this order."""
        rows = self.rows[positions].tolist()
        return self._images(rows, epoch, read) | {
            "index": torch.tensor(positions, dtype=torch.int64),
            "label": torch.from_numpy(self.table.label[rows]),
            "captions": None if self.table.captions is None else [self.table.captions[row] for row in rows],
            "fields": {name: self._whole(name, rows, self.field_channels[name], read) for name in self.table.fields},
        }

    def finished(self, content: Content) -> Content:
        """The same with crops, where a worker left the decoding to the training process. Raises BadSample."""
        if "stored" not in content:
            return content
        assert self.decode
        rows, images = content["rows"], self.decode(unpacked(*content["stored"]))
        for number, (row, image) in enumerate(zip(rows, images, strict=True)):
            if image.ndim == 1:  # the device could not
                with self._named(row):
                    images[number] = planes(image.numpy().tobytes(), self.decoding).to(self.decode.device)
        return {**content, "crops": self._cut(images, rows, content["epoch"])}

    def _images(self, rows: list[int], epoch: int, read: Read) -> Content:
        if not self.cut:
            return {"images": self._whole("", rows, self.channels, read)}
        if self.decode:
            return {"stored": packed(self._loaded(rows, read, as_stored)), "rows": rows, "epoch": epoch}
        return {"crops": self._cut(self._loaded(rows, read, planes), rows, epoch)}

    def _loaded(self, rows: list[int], read: Read, load: Callable[[bytes, Decoding], Tensor]) -> Iterator[Tensor]:
        """One after the other: a batch of whole images is large."""
        for row in rows:
            with self._named(row):
                image = load(read(row, ""), self.decoding)
            yield image

    def _cut(self, images: Iterable[Tensor], rows: list[int], epoch: int) -> tuple[Tensor, ...]:
        """images (C, H, W) each -> a tensor a view (N, C, h, w)."""
        assert self.cut
        draws = (generator(self.seed, "crops", epoch, row) for row in rows)
        views = [self.cut(image, draw) for image, draw in zip(images, draws, strict=True)]
        return tuple(torch.stack(crops) for crops in zip(*views))

    @contextlib.contextmanager
    def _named(self, row: int) -> Iterator[None]:
        """BadSample in place of Unreadable."""
        try:
            yield
        except Unreadable as error:
            raise BadSample(row, f"sample {self.table.key[row].decode()}: {error}") from None

    def _whole(self, field: str, rows: list[int], channels: int, read: Read) -> Tensor:
        images = np.empty((len(rows), channels, self.side, self.side), np.uint8)
        for number, row in enumerate(rows):
            with self._named(row):
                images[number] = whole(read(row, field), self.decoding, self.side, channels)
        return torch.from_numpy(images)


class TarSamples(Dataset[Content]):
    """The samples of a split, each read by its place, one batch a request."""

    def __init__(self, developer: Developer, paths: list[Path]) -> None:
        self.developer, self.tars = developer, [Tar(path) for path in paths]

    def __len__(self) -> int:
        return len(self.developer.rows)

    def __getitem__(self, request: Request) -> Content:
        """One batch; where an image cannot be read, ``problem`` alone: an error would reach the trainer as a traceback."""
        epoch, positions = request
        try:
            return self.developer.content(positions, epoch, self._read)
        except (Unreadable, OSError) as error:
            return {"problem": str(error)}

    def _read(self, row: int, field: str) -> bytes:
        table = self.developer.table
        places = table.fields[field] if field else table.image
        return self.tars[int(table.shard[row])].read(*places[row].tolist())


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
    """The batches of an epoch to come, made one by one: all at once they would be a million numbers."""

    def __init__(self, order: Order, num_samples: int) -> None:
        self.order, self.num_samples = order, num_samples
        self.epoch = self.first_step = 0

    def __iter__(self) -> Iterator[Request]:
        epoch = self.epoch
        batches = self.order.batches(self.num_samples, epoch, self.first_step)
        return ((epoch, index.tolist()) for index in batches)

    def __len__(self) -> int:
        return self.order.steps_per_epoch(self.num_samples) - self.first_step
