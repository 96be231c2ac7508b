"""SimSiam with and without its stop-gradient on real images: collapse happens, and the monitors say so."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from pipelines.batch import Batch
from pipelines.encoders import build_encoder
from pipelines.methods.base import DataFacts
from pipelines.methods.simsiam import build
from pipelines.randomness import generator
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.methods.simsiam import Options
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views
from pipelines.training.loop import Trainer
from pipelines.training.monitors import collapse_flags
from pipelines.views.maker import ViewMaker

SIDE, BATCH = 8, 64


@dataclass
class Digits:
    """The handwritten digits of scikit-learn as a loader."""

    images: Tensor
    steps_per_epoch: int
    reading: str = "resident"

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        order = torch.randperm(len(self.images), generator=generator(0, "order", epoch))
        for step in range(first_step, self.steps_per_epoch):
            rows = order[step * BATCH : (step + 1) * BATCH]
            yield Batch(images=self.images[rows], index=rows, label=torch.full((BATCH,), -1))


def digits() -> Digits:
    grey = torch.from_numpy(load_digits().images).mul(255 / 16).round().to(torch.uint8)
    return Digits(grey.unsqueeze(1).repeat(1, 3, 1, 1), len(grey) // BATCH)


def trained(**options: Any) -> tuple[dict[str, float], float]:
    """The last readings after four epochs, and the median cosine between different images of a batch then."""
    torch.manual_seed(0)
    encoder = ResNet(depth=10, width=8, stem="small", zero_init=True)  # as the released code has it
    method = build(Options(dim=128, **options), lambda: build_encoder(encoder, SIDE), DataFacts(1797, 10, SIDE))
    views = Views(augmentations=(Augmentation(count=2, scale=(0.5, 1.0), flip=0.0, blur=0.0),))
    maker = ViewMaker(views, SIDE, (0.5,) * 3, (0.25,) * 3)
    training = Training(epochs=4, batch_size=BATCH, lr_per_256=0.4, precision="float32")
    trainer = Trainer(method, digits(), maker, training, 0, torch.device("cpu"))
    metrics = trainer.fit().metrics
    batch = next(trainer.data.epoch(4))
    rows = method.loss(maker(batch, generator(1)), batch, trainer.step.progress(0)).watched["embeddings"]
    cosines = (rows @ rows.T)[~torch.eye(BATCH, dtype=torch.bool)]
    return metrics, cosines.median().item()


def test_without_stop_gradient_projections_become_a_point_and_are_flagged_and_with_it_neither():
    """Heads without batch norm on the projection, where nothing keeps the rows apart."""
    collapsed, alike = trained(norm="hidden", stop_gradient=False)
    assert collapsed["final/train/loss"] < -0.98
    assert collapsed["final/collapse/spread"] < 0.1
    assert alike > 0.98
    assert collapse_flags(collapsed) == ["collapsed"]
    healthy, alike = trained(norm="hidden")
    assert healthy["final/train/loss"] > -0.85
    assert healthy["final/collapse/spread"] > 0.4
    assert alike < 0.8
    assert collapse_flags(healthy) == []


def test_with_batch_norm_on_the_projections_all_but_a_few_become_one_point():
    """The paper's heads: a mean of 0 over the batch leaves a spread of 0.25 at least, yet most rows are alike."""
    collapsed, alike = trained(stop_gradient=False)
    assert collapsed["final/train/loss"] < -0.75
    assert 0.24 < collapsed["final/collapse/spread"] < 0.6
    assert alike > 0.95
    assert collapse_flags(collapsed) == ["collapsed"]
    healthy, alike = trained()
    assert healthy["final/train/loss"] > -0.75
    assert healthy["final/collapse/spread"] > 0.65
    assert alike < 0.7
    assert collapse_flags(healthy) == []
