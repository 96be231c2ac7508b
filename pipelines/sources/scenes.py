"""Whole images with their boxes, read from the tars by workers: in reading order, or shuffled and flipped to train on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from pipelines.advice import rebuild
from pipelines.errors import DamagedFile
from pipelines.randomness import generator
from pipelines.scene import Scene, SceneBatch
from pipelines.signals import leave_to_parent
from pipelines.sources.boxes import boxes_of
from pipelines.sources.images import Unreadable
from pipelines.sources.loader import end_at_exit, end_workers
from pipelines.sources.order import Order
from pipelines.sources.pixels import pixels
from pipelines.sources.reader import ShardSet
from pipelines.sources.stream import Tar

FLIP = 0.5
"""Probability that a training image is exchanged left for right."""


class WholeImages(Dataset[Any]):
    """The images of a split by row, (H, W, 3) uint8 each: arrays, as a shared tensor an image takes a file handle each."""

    def __init__(self, shards: ShardSet, split: str) -> None:
        self.table, self.tars = shards.table(split), [Tar(path) for path in shards.paths(split)]
        self.decoding = shards.index.decoding

    def __getitem__(self, rows: list[int]) -> list[NDArray[np.uint8]] | str:
        """The images, or why one of them cannot be read: an error would come out of a worker as a traceback."""
        try:
            return [pixels(self._bytes(row), self.decoding) for row in rows]
        except (Unreadable, OSError) as error:
            return str(error)

    def _bytes(self, row: int) -> bytes:
        return self.tars[int(self.table.shard[row])].read(*self.table.image[row].tolist())


def _as_arrays(images: Any) -> Any:
    """What the loader would make tensors of in the worker."""
    return images


def flipped(scene: Scene) -> Scene:
    """Left and right exchanged."""
    left, top, right, bottom = scene.boxes.unbind(1)
    width = scene.image.shape[2]
    boxes = torch.stack([width - right, top, width - left, bottom], dim=1)
    return Scene(scene.image.flip(2), boxes, scene.label, scene.difficult)


@dataclass
class Scenes:
    """A split's scenes on a device.

    names  of the classes; names[0] has label 1
    seed   of the order and the flips
    rows   (n,) of those that are trained on: images without any box are left out, as in detectron2
    """

    shards: ShardSet
    split: str
    names: Sequence[str]
    seed: int
    device: torch.device
    workers: int = 0

    def __post_init__(self) -> None:
        self.shards.verify(self.split)
        self.boxes = boxes_of(self.shards, self.split, self.names)
        self.rows: NDArray[np.int64] = np.flatnonzero([len(each.label) for each in self.boxes])

    def in_order(self, batch_size: int) -> Iterator[list[Scene]]:
        """All scenes, as they are stored, so many at a time."""
        rows = list(range(len(self.boxes)))
        return self._read([rows[i : i + batch_size] for i in rows[::batch_size]])

    def steps(self, batch_size: int, first: int, last: int) -> Iterator[SceneBatch]:
        """The batches of steps ``first`` up to ``last``: epoch after epoch of ``rows``, each in an order of its own."""
        order = Order(batch_size=batch_size, seed=self.seed)
        each = order.steps_per_epoch(len(self.rows))
        places = [
            index
            for epoch in range(first // each, -(-last // each))
            for index in order.batches(len(self.rows), epoch, max(0, first - epoch * each))
        ][: last - first]
        wanted = [self.rows[place.numpy()].tolist() for place in places]
        for step, (index, scenes) in enumerate(zip(places, self._read(wanted)), start=first):
            draws = torch.rand(len(scenes), generator=generator(self.seed, "flip", step)).tolist()
            yield SceneBatch(
                images=None,
                index=index.to(self.device),
                label=torch.full((len(index),), -1, device=self.device),
                scenes=tuple(flipped(scene) if draw < FLIP else scene for scene, draw in zip(scenes, draws)),
            )

    def _read(self, wanted: list[list[int]]) -> Iterator[list[Scene]]:
        loader: DataLoader[Any] = DataLoader(
            WholeImages(self.shards, self.split), batch_size=None, sampler=wanted,  # type: ignore[arg-type]
            num_workers=self.workers, collate_fn=_as_arrays, generator=torch.Generator(), worker_init_fn=leave_to_parent,
        )  # fmt: skip
        end_at_exit(loader)
        try:
            for rows, images in zip(wanted, loader):
                if isinstance(images, str):
                    again = rebuild(self.shards.folder)
                    raise DamagedFile(f"{self.shards.folder}: an image cannot be read any more ({images}); {again}")
                yield [self._scene(row, image) for row, image in zip(rows, images)]
        finally:
            end_workers(loader)

    def _scene(self, row: int, image: NDArray[np.uint8]) -> Scene:
        things = self.boxes[row]
        parts = image.transpose(2, 0, 1), things.box, things.label, things.difficult
        return Scene(*(torch.from_numpy(part).to(self.device, non_blocking=True) for part in parts))
