"""lightly's SwAV and DINO, put together as the PyTorch examples of its documentation do it: a pass for every view.

Differs from the examples: prototypes and the last layer of the head learn from ``frozen_epochs`` on (lightly has a number
of whole epochs for it), and the latter takes no gradient before that, where the example drops the gradient it took.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods.base import Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.methods.lightly_momentum import Result, momentum_of
from pipelines.methods.multicrop import at_least_two
from pipelines.spec.methods.lightly import Options

try:
    from lightly.loss import DINOLoss, SwaVLoss
    from lightly.models.modules import heads
    from lightly.models.utils import deactivate_requires_grad, update_momentum
except ImportError as error:
    raise InputError(f"use: lightly needs the package lightly ({error}); pip install -e '.[peers]'") from None


class PeerSwAV(nn.Module):
    """Unit projections are scored against prototypes; the first two views have codes. There is no queue."""

    def __init__(self, options: Options, projection_head: nn.Module) -> None:
        super().__init__()
        assert options.frozen_epochs is not None
        self.frozen_epochs, self.projection_head = options.frozen_epochs, projection_head
        self.prototypes = heads.SwaVPrototypes(options.dim, options.prototypes)
        gather = distributed.world_size() > 1
        self.criterion = SwaVLoss(options.temperature, options.sinkhorn_iterations, options.epsilon, gather)

    def forward(self, backbone: Encoder, views: list[Tensor], progress: Progress) -> Result:
        at_least_two(views, "SwAV")
        self.prototypes.requires_grad_(progress.epoch >= self.frozen_epochs)
        self.prototypes.normalize()
        rows = [at_least_float32(self.projection_head(backbone(view))) for view in views]
        with full_precision(rows[0].device):
            scores = [self.prototypes(F.normalize(each, dim=1)) for each in rows]
            return self.criterion(scores[:2], scores[2:]).squeeze(), rows[0]


class PeerDINO(nn.Module):
    """A student learns to give the teacher's distributions. The teacher is the encoder that this is built around.

    The heads begin at different weights, as in the example, which copies the backbone alone.
    """

    def __init__(self, options: Options, teacher: Encoder, hidden: int) -> None:
        super().__init__()
        assert options.frozen_epochs is not None
        self.options, self.frozen_epochs = options, options.frozen_epochs
        self.student_backbone = copy.deepcopy(teacher)
        self.student_head, self.teacher_head = dino_head(options, teacher, hidden), dino_head(options, teacher, hidden)
        deactivate_requires_grad(teacher)
        deactivate_requires_grad(self.teacher_head)
        start = options.teacher_temperature_start or options.teacher_temperature
        self.criterion = DINOLoss(
            options.outputs,
            start,
            options.teacher_temperature,
            options.teacher_warmup_epochs,
            options.student_temperature,
            options.centre_momentum,
        )

    def forward(self, backbone: Encoder, views: list[Tensor], progress: Progress) -> Result:
        at_least_two(views, "DINO")
        momentum = momentum_of(self.options, progress)
        update_momentum(self.student_backbone, backbone, m=momentum)
        update_momentum(self.student_head, self.teacher_head, m=momentum)
        self.student_head.get_parameter("last_layer.weight_v").requires_grad_(progress.epoch >= self.frozen_epochs)
        if not self.options.norm_last_layer:
            self.student_head.get_parameter("last_layer.weight_g").requires_grad_(progress.epoch >= self.frozen_epochs)
        with torch.no_grad():
            teacher = [at_least_float32(self.teacher_head(backbone(view))) for view in views[:2]]
        student = [at_least_float32(self.student_head(self.student_backbone(view))) for view in views]
        with full_precision(student[0].device):
            return self.criterion(teacher, student, epoch=int(progress.epoch)), student[0]


def dino_head(options: Options, encoder: Encoder, hidden: int) -> heads.DINOProjectionHead:
    """lightly's, of three layers and a last one."""
    sizes = (encoder.width, hidden, options.bottleneck, options.outputs)
    return heads.DINOProjectionHead(*sizes, batch_norm=options.norm == "batch", norm_last_layer=options.norm_last_layer)
