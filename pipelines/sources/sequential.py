"""Sequential reading: workers read tars from front to back through webdataset, with the order of ``streams``."""

from collections.abc import Iterator
from functools import partial
from itertools import zip_longest

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset
from webdataset.tariterators import group_by_keys, tar_file_expander

from pipelines.batch import Batch
from pipelines.errors import Problem
from pipelines.signals import leave_to_parent
from pipelines.sources.encoded import Decode
from pipelines.sources.index import Shard
from pipelines.sources.loader import end_at_exit, end_workers, on_device, told
from pipelines.sources.openers import Tars
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet
from pipelines.sources.stream import BadSample, Content, Cut, Developer
from pipelines.sources.streams import Streams, pieces
from pipelines.sources.table import SampleTable
from pipelines.sources.tars import BLOCK
from pipelines.spec.reading import Reading

Members = dict[str, bytes]
"""A sample's encoded images, the image itself under the empty name."""


class Sequential:
    """Batches like ``Streaming``'s, in an order that reads the tars from front to back.

    Each worker reads some of the rank's streams and gives their share of every step. A start in mid epoch opens no tar
    whose images were all given already, and decodes none of those that were; see ``StreamSamples``.
    """

    def __init__(
        self,
        shards: ShardSet,
        order: Order,
        reading: Reading,
        device: torch.device | str = "cpu",
        subset: NDArray[np.int64] | None = None,
        *,
        cut: Cut | None = None,
        workers: int = 2,
        decode: Decode | None = None,
    ) -> None:
        self.device = torch.device(device)
        streams, tars = Streams(order, reading.buffer), Tars(shards, reading)
        tars.verify("train")
        samples = StreamSamples(Developer(shards, "train", order.seed, cut, subset, decode), streams, tars)
        self.num_samples = len(samples.developer.rows)
        self.steps_per_epoch = order.steps_per_epoch(self.num_samples)
        self.reading = f"sequential, {streams.count} streams, buffer {streams.buffer}{told(decode)}"
        self._samples = samples
        workers = min(workers, len(streams.own))
        self._parts = max(1, workers)
        self._loader = torch.utils.data.DataLoader(
            samples, batch_size=None, num_workers=workers, persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda", generator=torch.Generator(), worker_init_fn=leave_to_parent,
        )  # fmt: skip
        end_at_exit(self._loader)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """This rank's batches of one epoch, from ``first_step`` on. One epoch at a time."""
        self._samples.start.copy_(torch.tensor([epoch, first_step]))
        parts: list[Batch] = []
        for content in self._loader:
            if isinstance(content, Problem):
                raise content
            parts.append(on_device(self._samples.finished(content), self.device))
            if len(parts) == self._parts:
                yield _joined(parts)
                parts = []

    def close(self) -> None:
        """End the workers."""
        end_workers(self._loader)


class StreamSamples(IterableDataset[Content | Problem]):
    """What a worker does: its share of every step of the epoch, from the step that ``start`` says.

    start   (2,) int64 in shared memory: epoch and first step

    A stream keeps the images it has read and not given yet. On a start in mid epoch it reads again those that it had in its
    buffer then, about as many as that holds, and in a folder passes by those between them that were given.
    """

    def __init__(self, developer: Developer, streams: Streams, tars: Tars) -> None:
        self.developer, self.streams, self.tars = developer, streams, tars
        self.start = torch.zeros(2, dtype=torch.int64).share_memory_()
        self.shard = developer.table.shard[developer.rows]

    def __iter__(self) -> Iterator[Content | Problem]:
        epoch, first = self.start.tolist()  # now, not when the first sample is asked for: the next epoch would be read
        worker = torch.utils.data.get_worker_info()
        own = self.streams.own
        if worker is not None:
            own = np.array_split(own, worker.num_workers)[worker.id].tolist()
        return self._contents(own, epoch, first)

    def finished(self, content: Content) -> Content:
        """See ``Developer.finished``; an image that nobody can decode is told of its tar."""
        try:
            return self.developer.finished(content)
        except BadSample as bad:
            raise self.tars.wrong(self._tar(bad.row), str(bad)) from None

    def _contents(self, own: list[int], epoch: int, first: int) -> Iterator[Content | Problem]:
        """One content a step. A problem is handed over as it is: the loader would wrap its message in a traceback."""
        line = self.streams.line(self.shard, epoch)
        read = [self._stream(self.streams.part(line, stream), epoch, stream, first) for stream in own]
        steps = self.streams.order.steps_per_epoch(len(line))
        del line  # the streams have their own parts
        try:
            for _ in range(first, steps):
                taken = [next(stream) for stream in read for _ in range(self.streams.each)]
                samples = {int(self.developer.rows[position]): members for position, members in taken}
                positions = [position for position, _ in taken]
                yield self.developer.content(positions, epoch, partial(_encoded, samples))
            for stream in read:
                next(stream, None)  # to the end of the last tar, for its checksum
        except BadSample as bad:
            yield self.tars.wrong(self._tar(bad.row), str(bad))
        except Problem as problem:
            yield problem

    def _stream(self, part: NDArray[np.int64], epoch: int, stream: int, first: int) -> Iterator[tuple[int, Members]]:
        """(position, sample) in the order of the stream, without those of the steps before ``first``."""
        left = self.streams.shuffled(part, epoch, stream)[first * self.streams.each :]
        coming = self._read(part[np.isin(part, left)])
        kept: dict[int, Members] = {}
        for position in map(int, left):
            while position not in kept:
                found, members = next(coming)
                kept[found] = members
            yield position, kept.pop(position)
        next(coming, None)

    def _read(self, line: NDArray[np.int64]) -> Iterator[tuple[int, Members]]:
        """The samples at these positions, tar after tar."""
        for piece in pieces(line, self.shard):
            yield from zip(map(int, piece), self._read_tar(self.developer.rows[piece]), strict=True)

    def _read_tar(self, rows: NDArray[np.int64]) -> Iterator[Members]:
        """The samples of rows (n,), ascending and of one tar; InputError where the tar holds others."""
        table = self.developer.table
        shard = self._tar(int(rows[0]))
        keys = [key.decode() for key in table.key[rows].tolist()]
        wanted = frozenset(keys)
        with self.tars.opened(shard, *span(table, shard, int(rows[0]), int(rows[-1]))) as stream:
            source = [{"url": self.tars.where(shard), "stream": stream}]
            files = tar_file_expander(source, select_files=lambda name: name.partition(".")[0] in wanted)
            for key, sample in zip_longest(keys, group_by_keys(files)):
                if sample is None or sample["__key__"] != key:
                    raise self.tars.wrong(shard, f"sample {key} is not where the index has it")
                yield self._members(sample)

    def _tar(self, row: int) -> Shard:
        return self.tars.shards.index.splits["train"][int(self.developer.table.shard[row])]

    def _members(self, sample: dict[str, bytes]) -> Members:
        image = next(name for name in sample if not name.startswith("__"))
        fields = self.tars.shards.index.fields
        return {"": sample[image], **{name: sample[extension] for name, extension in fields.items()}}


def _encoded(samples: dict[int, Members], row: int, field: str) -> bytes:
    return samples[row][field]


def span(table: SampleTable, shard: Shard, first: int, last: int) -> tuple[int, int]:
    """The bytes of a tar from one sample's first header to another's end, which is where the next one begins."""
    follows = last + 1 < len(table) and table.shard[last + 1] == table.shard[first]
    return _header(table, first), _header(table, last + 1) if follows else shard.bytes


def _header(table: SampleTable, row: int) -> int:
    """Where a sample begins: the header of its image, which is its first member."""
    return int(table.image[row, 0]) - BLOCK


def _joined(parts: list[Batch]) -> Batch:
    """The workers' shares of one step as one batch."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    captions = None if first.captions is None else [text for part in parts for text in part.captions or ()]
    return Batch(
        images=None if first.images is None else torch.cat([part.images for part in parts if part.images is not None]),
        index=torch.cat([part.index for part in parts]),
        label=torch.cat([part.label for part in parts]),
        captions=captions,
        crops=None if first.crops is None else tuple(map(torch.cat, zip(*(part.crops or () for part in parts)))),
        fields={name: torch.cat([part.fields[name] for part in parts]) for name in first.fields},
    )
