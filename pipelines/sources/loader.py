"""Two ways to feed training, with the same batches in the same order: from the device, or from tars read by workers."""

import atexit
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.advice import rebuild
from pipelines.batch import Batch
from pipelines.errors import DamagedFile
from pipelines.signals import leave_to_parent
from pipelines.sources.arrays import Arrays
from pipelines.sources.encoded import Decode
from pipelines.sources.order import Order
from pipelines.sources.reader import ShardSet
from pipelines.sources.stream import BadSample, Content, Cut, Developer, Requests, TarSamples


class Resident:
    """Batches from a split that lies on the device as one uint8 tensor.

    subset: sorted positions in the split to train on, none: all. A batch's index counts inside the subset. Grey images
    keep their one channel. On the CPU the images stay a mapped file.
    """

    reading = "resident"

    def __init__(
        self, arrays: Arrays, order: Order, device: torch.device | str = "cpu", subset: NDArray[np.int64] | None = None
    ) -> None:
        rows = np.arange(len(arrays)) if subset is None else subset
        self.order = order
        self.device = torch.device(device)
        self.num_samples = len(rows)
        self.steps_per_epoch = order.steps_per_epoch(self.num_samples)
        self.captions = None if arrays.captions is None else [arrays.captions[row] for row in rows]
        self._rows = torch.from_numpy(rows).to(self.device)
        self._images = torch.from_numpy(arrays.images).to(self.device)
        self._labels = torch.from_numpy(arrays.labels).to(self.device)
        self._fields = {name: torch.from_numpy(images).to(self.device) for name, images in arrays.fields.items()}

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """This rank's batches of one epoch, from ``first_step`` on."""
        for index in self.order.batches(self.num_samples, epoch, first_step):
            captions = None if self.captions is None else [self.captions[position] for position in index.tolist()]
            index = index.to(self.device, non_blocking=True)
            rows = self._rows[index]
            yield Batch(
                images=self._images.index_select(0, rows),
                index=index,
                label=self._labels[rows],
                captions=captions,
                fields={name: images.index_select(0, rows) for name, images in self._fields.items()},
            )


class Streaming:
    """Batches decoded from the tars by worker processes, for sets that do not fit on the device.

    A worker reads a sample by its offset, so the order is Resident's, whatever the number of workers and shards. With
    ``cut`` every image is decoded once and cut into crops while it has its full size: crops are set and images is None.
    Without, the image is resized and centre cropped to the index's image_size. Workers start with the first epoch and
    stay; ``close`` ends them. They ignore the signals that ask to end, which a scheduler sends to every process. With
    ``decode`` they leave JPEGs that are to be cut to that.
    """

    def __init__(
        self,
        shards: ShardSet,
        order: Order,
        device: torch.device | str = "cpu",
        subset: NDArray[np.int64] | None = None,
        *,
        split: str = "train",
        cut: Cut | None = None,
        workers: int = 2,
        decode: Decode | None = None,
    ) -> None:
        shards.verify(split)
        samples = TarSamples(Developer(shards, split, order.seed, cut, subset, decode), shards.paths(split))
        self.order = order
        self.reading = f"random{told(decode)}"
        self._finished = samples.developer.finished
        self.device = torch.device(device)
        self._folder, self._again = shards.folder, rebuild(shards.folder)
        self.num_samples = len(samples)
        self.steps_per_epoch = order.steps_per_epoch(self.num_samples)
        self._requests = Requests(order, self.num_samples)
        self._loader = torch.utils.data.DataLoader(
            samples, batch_size=None, sampler=self._requests, num_workers=workers, persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda", generator=torch.Generator(), worker_init_fn=leave_to_parent,
        )  # fmt: skip
        end_at_exit(self._loader)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """This rank's batches of one epoch, from ``first_step`` on. One epoch at a time."""
        self._requests.epoch, self._requests.first_step = epoch, first_step
        for content in self._loader:
            try:
                content = content if "problem" in content else self._finished(content)
            except BadSample as bad:
                content = {"problem": str(bad)}
            if "problem" in content:
                raise DamagedFile(
                    f"{self._folder}: an image cannot be read any more ({content['problem']}); {self._again}"
                )
            yield on_device(content, self.device)

    def close(self) -> None:
        """End the workers."""
        end_workers(self._loader)


def told(decode: Decode | None) -> str:
    """What a record says of who decodes."""
    return f", decoded on {decode.device.type}" if decode else ""


def on_device(content: Content, device: torch.device) -> Batch:
    """What a worker made, as a batch on the device."""

    def move(tensor: Tensor) -> Tensor:
        return tensor.to(device, non_blocking=True)

    return Batch(
        images=move(content["images"]) if "images" in content else None,
        index=move(content["index"]),
        label=move(content["label"]),
        captions=content["captions"],
        crops=tuple(move(crops) for crops in content["crops"]) if "crops" in content else None,
        fields={name: move(images) for name, images in content["fields"].items()},
    )


def end_at_exit(loader: "torch.utils.data.DataLoader[Any]") -> None:
    """End the workers before Python ends: it would wait for ever for processes that do not take its SIGTERM."""
    kept = weakref.ref(loader)
    atexit.register(lambda: end_workers(kept()))


def end_workers(loader: "torch.utils.data.DataLoader[Any] | None") -> None:
    """End a loader's workers, where it has any."""
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None and hasattr(iterator, "_shutdown_workers"):
        iterator._shutdown_workers()
