"""How a batch of crops comes from the worker that cut them to the trainer: through a DataLoader, or in memory that both keep.

    python benchmarks/handover.py --json benchmarks/results/handover.json

One worker puts a batch together from crops that are ready, and the trainer copies it once, as to a device. Three ways take
turns: arrays through a DataLoader, which are pickled through a pipe; tensors through one, as the streaming loader hands them
over, for which torch makes a file in shared memory each time; and a few places in shared memory that stay, into which the
worker writes.
"""

import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing import get_context
from torch.utils.data import DataLoader, IterableDataset

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, from anywhere

from benchmarks.common import Report, arguments_of, row
from benchmarks.contest import in_turn, paired, seconds

SIDE, CROPS, PLACES = 224, 2, 3
PICKLED, NOW, KEPT = "arrays, pickled", "tensors, as now", "places in shared memory that stay"
FULL = {"rounds": 7, "batch": 256, "batches": 8}
QUICK = {"rounds": 1, "batch": 8, "batches": 4}


def ready(batch: int) -> list[Tensor]:
    """Crops of one view, as a worker has cut them."""
    draws = torch.Generator().manual_seed(0)
    return [torch.randint(256, (3, SIDE, SIDE), dtype=torch.uint8, generator=draws) for _ in range(batch)]


class Batches(IterableDataset[Any]):
    """What the worker of a DataLoader gives: batches of all views, as tensors or as arrays."""

    def __init__(self, batch: int, batches: int, arrays: bool) -> None:
        self.batches, self.arrays, self.crops = batches, arrays, ready(batch)

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self.batches):
            views = [torch.stack(self.crops) for _ in range(CROPS)]
            yield [view.numpy() for view in views] if self.arrays else views


class Trainer:
    """Takes batches: copies them to where a device would have them."""

    def __init__(self, batch: int) -> None:
        self.there = [torch.empty(batch, 3, SIDE, SIDE, dtype=torch.uint8) for _ in range(CROPS)]

    def take(self, views: list[Any]) -> None:
        """One batch."""
        for here, view in zip(self.there, views, strict=True):
            here.copy_(torch.as_tensor(view))


def by_loader(trainer: Trainer, batch: int, batches: int, arrays: bool) -> Callable[[], None]:
    """All batches through a DataLoader, whose worker stays."""
    loader = DataLoader(Batches(batch, batches, arrays), batch_size=None, num_workers=1, persistent_workers=True)

    def work() -> None:
        for views in loader:
            trainer.take(views)

    return work


class Places:
    """A worker that writes into memory which the trainer reads. Use as a context; the worker ends with it."""

    def __init__(self, trainer: Trainer, batch: int, batches: int) -> None:
        context = get_context("spawn")
        self.trainer, self.batches = trainer, batches
        self.memory = [
            [torch.empty(batch, 3, SIDE, SIDE, dtype=torch.uint8).share_memory_() for _ in range(CROPS)]
            for _ in range(PLACES)
        ]
        self.free, self.full = context.SimpleQueue(), context.SimpleQueue()
        self.worker = context.Process(target=fill, args=(self.memory, self.free, self.full, batch))

    def __enter__(self) -> "Places":
        self.worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.free.put(None)
        self.worker.join()

    def work(self) -> None:
        """All batches; a place is free again once it was taken."""
        asked = min(PLACES, self.batches)
        for place in range(asked):
            self.free.put(place)
        for _ in range(self.batches):
            place = self.full.get()
            self.trainer.take(self.memory[place])
            if asked < self.batches:
                self.free.put(place)
                asked += 1


def fill(memory: list[list[Tensor]], free: Any, full: Any, batch: int) -> None:
    """What the worker does: write a batch wherever there is room, until it is told to end."""
    torch.set_num_threads(1)
    crops = ready(batch)
    while (place := free.get()) is not None:
        for view in memory[place]:
            torch.stack(crops, out=view)
        full.put(place)


def rows(rates: dict[str, list[float]], batch: int) -> list[dict[str, Any]]:
    """Images a second of every way, how long a batch takes, and what each gains over the one before."""
    found = []
    for way, each in rates.items():
        found.append(row(way, statistics.median(each), "images/s"))
        found.append(row(f"{way}: a batch", 1000 * batch / statistics.median(each), "ms"))
    return [
        *found,
        row(f"{NOW}, over {PICKLED}", paired(rates[NOW], rates[PICKLED]), "x"),
        row(f"{KEPT}, over {NOW}", paired(rates[KEPT], rates[NOW]), "x"),
    ]


def main() -> None:
    arguments = arguments_of(__doc__).parse_args()
    torch.set_num_threads(1)
    setting = QUICK if arguments.quick else FULL
    batch, batches = setting["batch"], setting["batches"]
    what = f"{CROPS} x {batch} crops of {SIDE} pixels a batch, one worker, by the clock; medians of {setting['rounds']} rounds."
    report = Report("handover", what, ("torch",), setting, arguments.quick)
    trainer = Trainer(batch)

    def rate(work: Callable[[], None]) -> float:
        return batch * batches / seconds(work)

    with Places(trainer, batch, batches) as places:
        works = {
            PICKLED: by_loader(trainer, batch, batches, arrays=True),
            NOW: by_loader(trainer, batch, batches, arrays=False),
            KEPT: places.work,
        }
        found = in_turn({way: partial(rate, work) for way, work in works.items()}, setting["rounds"])
    report.finish(rows(found, batch), {"images_per_second": found}, arguments.json)


if __name__ == "__main__":
    main()
