"""The order of sequential reading: an epoch is a line of tars in shuffled order, cut into streams of equal length.

A step takes equally many images of every stream, and a rank the streams that are its own. The number of streams follows
from the batch size alone, so that the order depends on neither ranks nor workers, and every image comes once an epoch, but
for the rest that fills no batch: the end of the line, which begins at another image in every epoch.
"""

import math
import random
from dataclasses import dataclass

import numpy as np
import webdataset
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.randomness import numpy_generator
from pipelines.seeds import seed_for
from pipelines.sources.order import Order

MOST = 64
"""Streams, at most: enough for so many workers, and few enough that each still reads long pieces."""
START = 4
"""A stream gives its first image when this share of its buffer is full: all of it would be gigabytes before the first step."""


@dataclass(frozen=True)
class Streams:
    """How a line of images becomes steps; ``buffer``: images that a stream holds back and draws the next one from."""

    order: Order
    buffer: int

    def __post_init__(self) -> None:
        """InputError where the ranks cannot share the streams evenly."""
        if self.count % self.order.world_size:
            raise InputError(
                f"training.reading: batches of {self.order.batch_size} images are read as {self.count} streams (their largest "
                f"common divisor with {MOST}), which {self.order.world_size} processes cannot share evenly; choose another "
                "batch_size or number of processes, or reading.order: random"
            )

    @property
    def count(self) -> int:
        """Streams of all ranks together."""
        return math.gcd(self.order.batch_size, MOST)

    @property
    def own(self) -> list[int]:
        """This rank's streams."""
        share = self.count // self.order.world_size
        return list(range(self.order.rank * share, (self.order.rank + 1) * share))

    @property
    def each(self) -> int:
        """Images that a step takes of one stream."""
        return self.order.batch_size // self.count

    def line(self, shard: NDArray[np.int64], epoch: int) -> NDArray[np.int64]:
        """(N,) positions in the epoch's line; ``shard`` (N,): the tar that each lies in. Rows of a tar stay in order."""
        draws = numpy_generator(self.order.seed, "line", epoch)
        place = draws.permutation(int(shard.max()) + 1)
        line = np.argsort(place[shard], kind="stable")
        return np.roll(line, -int(draws.integers(len(line))))

    def part(self, line: NDArray[np.int64], stream: int) -> NDArray[np.int64]:
        """The stretch of the line that a stream reads."""
        length = self.order.steps_per_epoch(len(line)) * self.each
        return line[stream * length : (stream + 1) * length].copy()

    def shuffled(self, part: NDArray[np.int64], epoch: int, stream: int) -> NDArray[np.int64]:
        """The order in which a stream gives what it reads: that of webdataset's shuffle buffer.

        It is drawn for positions before anything is read, so that a start in mid epoch knows what was given already.
        """
        draws = random.Random(seed_for(self.order.seed, "buffer", epoch, stream))
        buffer = webdataset.shuffle(self.buffer, initial=max(1, self.buffer // START), rng=draws)
        return np.fromiter(buffer(map(int, part)), np.int64, len(part))


def pieces(line: NDArray[np.int64], shard: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """A stretch of a line, cut where another tar begins, or the same one anew."""
    numbers = shard[line]
    cuts = np.flatnonzero((np.diff(numbers) != 0) | (np.diff(line) < 0)) + 1
    return np.split(line, cuts) if len(line) else []
