"""Classifiers trained from pretrained weights: fine-tuned with labels, or distilled from a teacher's predictions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.losses.distillation import distillation
from pipelines.methods.base import Method, Output, Progress, full_precision


class Classifier(Method):
    """An encoder, the kept layers of a head, and a linear classifier that starts at zero."""

    def __init__(self, encoder: Encoder, head: nn.Module, width: int, num_classes: int, smoothing: float = 0.0) -> None:
        super().__init__()
        self.encoder, self.head, self.smoothing = encoder, head, smoothing
        self.linear = nn.Linear(width, num_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def logits(self, images: Tensor) -> Tensor:
        """(N, C), float32 at least."""
        scores: Tensor = self.linear(self.head(self.encoder(images)))
        return scores if scores.dtype == torch.float64 else scores.float()

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W); cross entropy with the labels."""
        scores = self.logits(views[0])
        with full_precision(scores.device):
            loss = F.cross_entropy(scores, batch.label, label_smoothing=self.smoothing)
        return Output(loss, {"top1": (scores.detach().argmax(1) == batch.label).float().mean()})


class Distilled(Classifier):
    """A classifier that learns a frozen teacher's softened predictions, and the labels of the images in ``labelled``.

    labelled   (num_samples,) bool: positions whose labels the teacher was fine-tuned on; the others' are never read
    """

    labelled: Tensor

    def __init__(
        self,
        student: Classifier,
        teacher: Classifier,
        labelled: Tensor,
        *,
        temperature: float,
        label_weight: float,
        squared: bool,
    ) -> None:  # fmt: skip
        nn.Module.__init__(self)
        self.encoder, self.head, self.linear = student.encoder, student.head, student.linear
        self.smoothing = 0.0
        self.teacher = teacher.requires_grad_(False)
        self.temperature, self.label_weight, self.squared = temperature, label_weight, squared
        self.register_buffer("labelled", labelled)

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W), the same for teacher and student."""
        self.teacher.eval()
        with torch.no_grad():
            wanted = self.teacher.logits(views[0])
        scores = self.logits(views[0])
        with full_precision(scores.device):
            loss = distillation(scores, wanted, self.temperature, squared_scale=self.squared)
            known = self.labelled[batch.index]
            if self.label_weight:
                picked = F.cross_entropy(scores, batch.label.clamp(min=0), reduction="none") * known
                of_all = distributed.mean(known.sum().float()).clamp(min=1 / distributed.world_size())
                loss = (1 - self.label_weight) * loss + self.label_weight * picked.sum() / of_all
        agree = (scores.detach().argmax(1) == wanted.argmax(1)).float().mean()
        return Output(loss, {"agreement": agree})
