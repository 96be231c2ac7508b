"""A trainer over a few random images, for tests of the loop and of every method's contract."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipelines.batch import Batch
from pipelines.encoders import build_encoder
from pipelines.methods import build
from pipelines.methods.base import DataFacts, Method
from pipelines.randomness import generator
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods import names, options_class
from pipelines.spec.methods.base import MethodOptions
from pipelines.spec.methods.peer import Peer
from pipelines.spec.training import Training
from pipelines.training.loop import Trainer
from pipelines.views.maker import ViewMaker

SIDE, CLASSES, COUNT = 16, 4, 48
SMALL = {
    "queue_size": 32, "dim": 8, "hidden": 16, "predictor_hidden": 8, "prototypes": 12, "num_negatives": 8, "outputs": 24,
    "bottleneck": 8, "decoder_width": 16, "decoder_depth": 1, "decoder_heads": 2, "text_width": 16, "text_layers": 1,
    "text_heads": 2, "units": 16, "queue_start_epoch": 0.0,
}  # fmt: skip
"""Options that every method shrinks by, where it has them."""


INSTALLED = tuple(name for name in names() if name != "stable_pretraining" or find_spec("stable_pretraining"))
"""The methods that can be built here: one needs packages that ``make install`` does not bring."""
every_method = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in INSTALLED else pytest.mark.skip(reason=f"{name}: make install-peers"))
        for name in names()
    ],
)


class FewImages:
    """COUNT random images in COUNT // batch steps an epoch, order by epoch."""

    reading = "resident"

    def __init__(self, batch_size: int, rank: int = 0, world: int = 1) -> None:
        source = torch.Generator().manual_seed(0)
        self.images = torch.randint(0, 256, (COUNT, 3, SIDE, SIDE), generator=source, dtype=torch.uint8)
        self.labels = torch.randint(0, CLASSES, (COUNT,), generator=source)
        self.batch_size, self.rank, self.world = batch_size, rank, world
        self.steps_per_epoch = COUNT // batch_size

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        order = torch.randperm(COUNT, generator=generator(0, "order", epoch))
        for step in range(first_step, self.steps_per_epoch):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size].chunk(self.world)[self.rank]
            captions = [f"an image of class {label}" for label in self.labels[rows].tolist()]
            yield Batch(images=self.images[rows], index=rows, label=self.labels[rows], captions=captions)


def small_options(name: str, **given: object) -> MethodOptions:
    """A method's options, shrunk for tests."""
    kind = options_class(name)
    known = kind.uses[str(given.get("method", "simclr"))] if issubclass(kind, Peer) else kind.model_fields
    return kind(**{key: value for key, value in SMALL.items() if key in known} | given)


def small_method(options: MethodOptions, seed: int = 0, norm: str = "batch") -> Method:
    """A method over an 8 wide ResNet-10, or over a micro ViT where it refuses that."""
    torch.manual_seed(seed)
    spec: EncoderOptions = ResNet(depth=10, width=8, stem="small", norm=norm)
    training = Training(batch_size=16)
    try:
        options.check(training, spec, COUNT)
    except ValueError:
        spec = ViT(size="micro", patch=4)
        options.check(training, spec, COUNT)
    facts = DataFacts(COUNT, CLASSES, SIDE, tuple(f"class {i}" for i in range(CLASSES)))
    return build(options, lambda in_channels=3: build_encoder(spec, SIDE, in_channels), facts)


def small_trainer(
    options: MethodOptions, out: Path | None = None, *, epochs: int = 2, batch_size: int = 16, **settings: object
) -> Trainer:
    """A trainer of ``epochs`` x 3 steps in float32 on the CPU."""
    given = {"epochs": epochs, "batch_size": batch_size, "precision": "float32", "monitor_steps": 1, "lr_per_256": 0.1}
    fields = {key: settings.pop(key) for key in list(settings) if key in Training.model_fields}
    training = Training(**{**given, **fields})
    maker = ViewMaker(options.default_views(SIDE), SIDE, (0.5,) * 3, (0.25,) * 3)
    method = small_method(options)
    device = settings.pop("device", torch.device("cpu"))
    return Trainer(method, FewImages(batch_size), maker, training, 0, device, out, **settings)


def weights(method: Method) -> dict[str, Tensor]:
    """A copy of everything a checkpoint holds of the method."""
    return {name: value.clone() for name, value in method.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
