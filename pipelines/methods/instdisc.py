"""InstDisc: every image is a class of its own, its weight vector the memory of its last visit (Wu et al. 2018,
arXiv:1805.01978).

One view an image and step; the target is the image's slot in the bank, so in the first epoch it is noise. As in the
released code the momentum of the bank stands in for the paper's proximal term, which is an option here, and the bank
starts uniform and not normalised, where the paper has unit vectors (``bank_start``).
Differs from the released code: slots change after the optimizer step instead of during the backward pass, which gives
the same numbers. With several processes Z is estimated from the first batch of all of them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.losses.info_nce import Contrast
from pipelines.losses.nce import instance_softmax, proximal
from pipelines.losses.pairs import but_own
from pipelines.methods.bank import MemoryBank, SlotLoss, draw_slots
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.spec.methods.instdisc import Options


class InstDisc(Method):
    """encoder and head make unit vectors; the bank holds what they gave at each image's last visits.

    num_samples: images of the pretraining split, which ``batch.index`` counts.
    """

    fresh: tuple[Tensor, Tensor] | None = None
    """Index and features of this step, waiting for after_step to store them."""

    def __init__(self, options: Options, encoder: Encoder, head: nn.Module, num_samples: int) -> None:
        super().__init__()
        self.options, self.encoder, self.head = options, encoder, head
        self.bank = MemoryBank(num_samples, options.dim, options.bank_start)
        if options.loss != "softmax":
            self.question = SlotLoss(options.loss, options.temperature, num_samples)

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W)."""
        (view,) = views
        features = F.normalize(at_least_float32(self.head(self.encoder(view))), dim=1)
        with full_precision(features.device):
            contrast = self._contrast(features, batch.index, progress)
            moved = proximal(features, self.bank.slots[batch.index])
            loss = contrast.loss + self.options.proximal * moved if self.options.proximal else contrast.loss
        self.fresh = batch.index, features.detach()
        watched = {"embeddings": features.detach(), **contrast.watched}
        return Output(loss, {"distance_from_slot": moved.detach()}, watched)

    def after_step(self, progress: Progress) -> None:
        """Store this step's features."""
        assert self.fresh is not None, "after_step without a loss before it"
        self.bank.store(*self.fresh, self.options.bank_momentum)
        self.fresh = None

    def _contrast(self, features: Tensor, index: Tensor, progress: Progress) -> Contrast:
        if self.options.loss != "softmax":
            count = self.options.num_negatives
            slots = draw_slots(index, len(self.bank.slots), count, progress.generator)
            contrast: Contrast = self.question(
                features, self.bank, slots, progress, transform=self.options.feature_transform
            )
            return contrast
        scores = features @ self.bank.slots.T
        loss = instance_softmax(scores / self.options.temperature, index)
        of_batch = scores[:, index]  # the slots of the batch's other images stand for all others
        others = but_own(torch.arange(len(index), device=index.device), len(index))
        return Contrast.of(loss, of_batch.diagonal(), of_batch.gather(1, others))


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> InstDisc:
    """InstDisc over a fresh encoder with one linear layer as head."""
    encoder = make_encoder()
    return InstDisc(options, encoder, nn.Linear(encoder.width, options.dim), facts.num_samples)
