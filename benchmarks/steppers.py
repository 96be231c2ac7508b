"""The contestants of steps: the Trainer of a method, the passes of its encoder alone, and a documented loop of lightly's."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2.functional import to_pil_image

from benchmarks.contest import TimedTrainer
from benchmarks.devices import clock_of, in_bfloat16, rate, settle
from benchmarks.lightly_loops import Loop
from benchmarks.passes import Passes, SameImages
from benchmarks.views import images_of
from pipelines.building.methods import fresh_method
from pipelines.methods.base import DataFacts
from pipelines.spec.resolve import with_defaults
from pipelines.training.loop import Trainer
from pipelines.training.precision import autocast_dtype
from pipelines.views.maker import ViewMaker

SIZE = 32
OURS, PEER, FAST, BARE = "ours", "lightly as documented", "lightly, bfloat16, channels-last", "encoder passes alone"
Rate = Callable[[], float]


@dataclass(frozen=True)
class Setting:
    """How the contestants of a method are measured.

    width       of the first stage of the convolutional networks
    warm        steps of a turn that do not count; lightly's loop has them only where its views come from workers
    workers     of lightly's loader; 0: views are made in the process that counts
    """

    rounds: int
    batch: int
    steps: int
    peer_steps: int
    width: int = 16
    warm: int = 1
    workers: int = 0


def ours(options: Any, encoder: Any, setting: Setting, device: torch.device) -> tuple[dict[str, Rate], nn.Module]:
    """The Trainer's steps, begun anew each time and the first not counted, and the encoder passes of two; the method."""
    timed = TimedTrainer(clock_of(device), partial(settle, device))
    training = with_defaults({"batch_size": setting.batch}, options, "")
    timed.trainer = Trainer(
        method=fresh_method(options, encoder, DataFacts(10**6, num_classes=1, image_size=SIZE), seed=0),
        data=SameImages(images_of(setting.batch, 3, SIZE).to(device)),
        make_views=ViewMaker(options.default_views(SIZE), SIZE, [0.5], [0.25]),
        training=training,
        seed=0,
        device=device,
        stop=timed.stop,
    )
    passes = Passes(timed.trainer.method, autocast_dtype(training.precision, device))
    with passes.noted():
        timed(1, 1)
    arms = {
        OURS: lambda: setting.batch / statistics.mean(timed(setting.warm, setting.steps)["seconds"]),
        BARE: rate(passes.again, 2 * setting.batch, device),
    }
    return arms, timed.trainer.method


class Again(Dataset[Any]):
    """``count`` pictures, which are the same few over and over, transformed."""

    def __init__(self, pictures: list[Image], transform: Callable[[Image], Any], count: int) -> None:
        self.pictures, self.transform, self.count = pictures, transform, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> Any:
        return self.transform(self.pictures[place % len(self.pictures)])


def theirs(loop: Loop, setting: Setting, fast: bool, device: torch.device) -> Rate:
    """Steps of the documented loop, views included; fast: bfloat16 and channels-last memory."""
    loop.to(device)
    if fast:
        loop.to(memory_format=torch.channels_last)
    optimizer = loop.optimizer()

    def step(views: list[Tensor]) -> None:
        views = [view.to(device) for view in views]
        if fast:
            views = [view.to(memory_format=torch.channels_last) for view in views]
        with in_bfloat16(device, fast):
            loss = loop.loss(views)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    pictures = [to_pil_image(image) for image in images_of(setting.batch, 3, SIZE)]
    return (by_workers if setting.workers else in_process)(step, loop, pictures, setting, device)


def in_process(
    step: Callable[[list[Tensor]], None], loop: Loop, pictures: list[Image], setting: Setting, device: torch.device
) -> Rate:
    """Views and steps one after the other."""

    def work() -> None:
        for _ in range(setting.peer_steps):
            step([torch.stack(view) for view in zip(*map(loop.transform, pictures), strict=True)])

    return rate(work, setting.peer_steps * setting.batch, device)


def by_workers(
    step: Callable[[list[Tensor]], None], loop: Loop, pictures: list[Image], setting: Setting, device: torch.device
) -> Rate:
    """Views by the workers of a loader, which start anew each time: those that they make ahead of the count are few."""
    count = (setting.warm + setting.peer_steps) * setting.batch
    loader = DataLoader(Again(pictures, loop.transform, count), setting.batch, num_workers=setting.workers)

    def each(batches: Iterable[list[Tensor]]) -> None:
        for views in batches:
            step(views)

    def measured() -> float:
        batches = iter(loader)
        each(islice(batches, setting.warm))
        return rate(lambda: each(batches), setting.peer_steps * setting.batch, device)()

    return measured
