"""Fine-tuning on mixed images and labels, by torchvision, which takes seconds to load: nothing else imports this file."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.evaluation.classifier import Classifier
from pipelines.methods.base import Output, Progress, full_precision


class Mixed(Classifier):
    """A classifier that learns from mixed images and labels: mixup (Zhang et al. 2018, arXiv:1710.09412) and cutmix (Yun et
    al. 2019, arXiv:1905.04899), one of the two by lot for every batch where both have an alpha above 0."""

    def __init__(
        self,
        encoder: Encoder,
        head: nn.Module,
        width: int,
        num_classes: int,
        smoothing: float = 0.0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
    ) -> None:
        super().__init__(encoder, head, width, num_classes, smoothing)
        kinds = ((v2.MixUp, mixup), (v2.CutMix, cutmix))
        self.mixes = [kind(alpha=alpha, num_classes=num_classes) for kind, alpha in kinds if alpha]

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W). torchvision draws from torch's own generator, which the loop seeds for every step."""
        if not self.mixes or len(batch) < 2:
            return super().loss(views, batch, progress)
        chosen = int(torch.randint(len(self.mixes), ()))
        images, wanted = self.mixes[chosen](views[0], batch.label)  # (N, 3, H, W), (N, C) shares of classes
        scores = self.logits(images)
        with full_precision(scores.device):
            loss = F.cross_entropy(scores, wanted, label_smoothing=self.smoothing)
        return Output(loss, {"top1": (scores.detach().argmax(1) == wanted.argmax(1)).float().mean()})
