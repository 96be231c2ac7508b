"""What lightly's examples of MoCo and BYOL share: slow copies of backbone and head, moved by the epoch."""

import copy

import torch
from torch import Tensor, nn

from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods.base import Progress
from pipelines.methods.heads import at_least_float32
from pipelines.spec.methods.lightly import Options

try:
    from lightly.models.utils import deactivate_requires_grad, update_momentum
    from lightly.utils.scheduler import cosine_schedule
except ImportError as error:
    raise InputError(f"use: lightly needs the package lightly ({error}); pip install -e '.[peers]'") from None

Result = tuple[Tensor, Tensor]
"""The loss, 0-d, and the first view's projections (N, dim)."""


def momentum_of(options: Options, progress: Progress) -> float:
    """From the first epoch's value to the last one's, along a cosine."""
    momentum: float = cosine_schedule(int(progress.epoch), progress.epochs, options.momentum, options.last_momentum)
    return momentum


class Momentum(nn.Module):
    """What MoCo and BYOL share: slow copies of backbone and head, which move before the forward pass, by the epoch."""

    def __init__(self, options: Options, backbone: Encoder, projection_head: nn.Module) -> None:
        super().__init__()
        self.options, self.projection_head = options, projection_head
        self.backbone_momentum = copy.deepcopy(backbone)
        self.projection_head_momentum = copy.deepcopy(projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)

    def move(self, backbone: Encoder, progress: Progress) -> None:
        """The momentum goes from the first epoch's value to the last one's."""
        momentum = momentum_of(self.options, progress)
        update_momentum(backbone, self.backbone_momentum, m=momentum)
        update_momentum(self.projection_head, self.projection_head_momentum, m=momentum)

    @torch.no_grad()
    def slow(self, images: Tensor) -> Tensor:
        """The slow copies' projections (N, dim)."""
        return at_least_float32(self.projection_head_momentum(self.backbone_momentum(images)))
