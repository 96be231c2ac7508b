"""DINO: self-distillation from a slowly moving teacher (Caron et al. 2021, arXiv:2104.14294).

The evaluated encoder is the teacher's, as in the paper's kNN and linear numbers.

Differs from the released code: from the head's unit vector on, all is computed in float32;
a ViT's position codes are resized for small crops by size, not by a scale factor of (n + 0.1) / g.
"""

import torch
from torch import Tensor

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.encoders.drop_path import set_drop_path
from pipelines.losses.dino import dino_loss, entropy, next_centre, teacher_targets, teacher_temperature
from pipelines.methods import ema
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.dino_head import DINOHead
from pipelines.methods.multicrop import at_least_two, encode_by_size
from pipelines.spec.methods.dino import Options


class DINO(Method):
    """student and head learn; encoder and teacher_head, their moving averages, set the targets for the first two views.

    Batch norm of the teacher has statistics of its own. ``centre`` (1, K) is the running mean of the teacher's outputs.
    """

    centre: Tensor
    fresh: Tensor | None = None
    """(1, K): the mean of this step's teacher outputs over all processes, waiting for after_step."""

    def __init__(self, options: Options, student: Encoder, head: DINOHead) -> None:
        super().__init__()
        self.options = options
        self.student, self.head = student, head
        self.encoder, self.teacher_head = ema.frozen_copy(student), ema.frozen_copy(head)
        set_drop_path(self.student, options.student_drop_path)
        set_drop_path(self.encoder, 0.0)
        self.register_buffer("centre", torch.zeros(1, options.outputs))

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two full-size (N, 3, H, W) for both networks, then small ones for the student."""
        at_least_two(views, "DINO")
        self.head.last_layer.learns(progress.epoch >= self.options.frozen_epochs)
        with torch.no_grad():
            _, teacher = self.teacher_head(encode_by_size(self.encoder, views[:2]))
        embeddings, student = self.head(encode_by_size(self.student, views))
        self.fresh = distributed.mean(teacher.mean(0, keepdim=True))
        with full_precision(teacher.device):
            temperature = self._temperature(progress)
            crops, targets = student.chunk(len(views)), teacher.chunk(2)
            loss = dino_loss(crops, targets, self.centre, self.options.student_temperature, temperature)
            spread = entropy(teacher_targets(teacher, self.centre, temperature))
        scalars = {"teacher_entropy": spread, "teacher_student_kl": loss.detach() - spread}
        return Output(loss, scalars, {"embeddings": embeddings[: len(views[0])].detach()})

    def after_step(self, progress: Progress) -> None:
        """Move the teacher towards the stepped student, and the centre towards this step's outputs."""
        assert self.fresh is not None, "after_step without a loss before it"
        momentum = self.options.momentum
        if self.options.momentum_schedule == "cosine":
            momentum = ema.cosine_momentum(momentum, progress.fraction)
        ema.update(self.encoder, self.student, momentum)
        ema.update(self.teacher_head, self.head, momentum)
        self.centre.copy_(next_centre(self.centre, self.fresh, self.options.centre_momentum))
        self.fresh = None

    def _temperature(self, progress: Progress) -> float:
        """The teacher's temperature in this epoch."""
        end, start = self.options.teacher_temperature, self.options.teacher_temperature_start
        if start is None:
            return end
        return teacher_temperature(int(progress.epoch), start, end, self.options.teacher_warmup_epochs)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> DINO:
    """DINO over a fresh encoder."""
    student = make_encoder()
    head = DINOHead(
        student.width,
        options.hidden,
        options.bottleneck,
        options.outputs,
        layers=options.head_layers,
        batch_norm=options.norm == "batch",
        fixed_gain=options.norm_last_layer,
    )
    return DINO(options, student, head)
