"""Small encoders, data and progress for tests of methods."""

import torch
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.methods.base import Progress


class LinearEncoder(Encoder):
    """The identity or a linear map: whole training steps of fixtures run through it."""

    def __init__(self, width: int, body: nn.Module | None = None) -> None:
        super().__init__()
        self.width = width
        self.map_widths = (width,)
        self.body = body or nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        return [self.body(images)[:, :, None, None]]


def progress(step: int = 0, total: int = 10, epoch: float = 0.0, epochs: int = 2, seed: int = 0) -> Progress:
    return Progress(step, total, epoch, epochs, torch.Generator().manual_seed(seed + step))


def batch(count: int, label: Tensor | None = None, index: Tensor | None = None) -> Batch:
    positions = torch.arange(count) if index is None else index
    return Batch(images=None, index=positions, label=torch.zeros(count, dtype=torch.int64) if label is None else label)
