"""SwAV: predict a view's cluster assignment from another view (Caron et al. 2020, arXiv:2006.09882).

With feature transformation (Zhu et al. 2021, arXiv:2108.02982) as an option.

Differs from the released code: the queue holds the embeddings of all processes in one order on each, where there every
process keeps its share, and every process balances all rows; the codes are the same. Scores are computed in float32.
Feature transformation is ours to place, since its code for SwAV was not released: codes stay as they are, and the
embedding z_v that predicts the code of view i becomes L z_v + (1 - L) z_i, with no gradient into z_i, a target here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.losses.dino import entropy
from pipelines.losses.swav import codes, normalise_rows_, pushed, queue_is_full, swapped_prediction
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32, normed_mlp
from pipelines.methods.multicrop import at_least_two, encode_by_size
from pipelines.methods.transform import starts, transformed_pair
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.methods.swav import Options

ASSIGNED = (0, 1)
"""The full-size views: they have codes, and a queue each."""


class SwAV(Method):
    """encoder and head make unit embeddings, which are scored against unit prototypes."""

    queue: Tensor
    full: bool = False
    """Whether the queue is known to be full; a run that resumes looks anew."""
    fresh: Tensor | None = None
    """(2, all processes' N, dim): this step's embeddings, waiting for after_step to enqueue them."""

    def __init__(self, options: Options, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.options, self.encoder, self.head = options, encoder, head
        self.prototypes = nn.Linear(options.dim, options.prototypes, bias=False)
        self.register_buffer("queue", torch.zeros(len(ASSIGNED), options.queue_size, options.dim))

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two full-size (N, 3, H, W), then small ones; the head sees all in one pass."""
        at_least_two(views, "SwAV")
        self.prototypes.weight.requires_grad_(progress.epoch >= self.options.frozen_epochs)
        normalise_rows_(self.prototypes.weight)
        features = self.head(encode_by_size(self.encoder, views))
        with full_precision(features.device):
            embeddings = F.normalize(at_least_float32(features), dim=1).chunk(len(views))
            targets = self._codes(embeddings, progress)
            transform = starts(self.options.feature_transform, progress)
            if transform is None:
                scores = self.prototypes(torch.cat(embeddings)).chunk(len(views))
                loss = swapped_prediction(targets, ASSIGNED, scores, self.options.temperature)
            else:
                loss = self._transformed(transform, embeddings, targets, progress)
        first, second = embeddings[0].detach(), embeddings[1].detach()
        scalars = {"code_entropy": entropy(torch.stack(targets)), "positive_score": (first * second).sum(1).mean()}
        return Output(loss, scalars, {"embeddings": first})

    def after_step(self, progress: Progress) -> None:
        """Put this step's embeddings in front of the queues, once their start epoch is reached."""
        if self.fresh is not None:
            for i in ASSIGNED:
                self.queue[i] = pushed(self.queue[i], self.fresh[i])
        self.fresh = None

    @torch.no_grad()
    def _codes(self, embeddings: tuple[Tensor, ...], progress: Progress) -> list[Tensor]:
        """Codes (N, K) of the full-size views, balanced over all processes and the queue."""
        everyone = [distributed.gather(embeddings[i]) for i in ASSIGNED]
        queueing = self.options.queue_size > 0 and progress.epoch >= self.options.queue_start_epoch
        self.fresh = torch.stack(everyone) if queueing else None
        # both fill alike, and stay full: the host waits for the answer only until then
        self.full = self.full or (queueing and queue_is_full(self.queue[0]))
        full = queueing and self.full
        start, targets = distributed.rank() * len(embeddings[0]), []
        for i in ASSIGNED:
            waiting = self.prototypes(self.queue[i]) if full else None
            scores = self.prototypes(everyone[i])
            balanced = codes(scores, waiting, self.options.epsilon, self.options.sinkhorn_iterations)
            targets.append(balanced[start : start + len(embeddings[i])])
        return targets

    def _transformed(
        self, transform: FeatureTransform, embeddings: tuple[Tensor, ...], targets: list[Tensor], progress: Progress
    ) -> Tensor:
        """The same mean over rows and pairs, every predicting view extrapolated away from the view it predicts."""
        pairs = [(i, v) for i in ASSIGNED for v in range(len(embeddings)) if v != i]
        predicting = torch.cat([embeddings[v] for _, v in pairs])
        predicted = torch.cat([embeddings[i].detach() for i, _ in pairs])
        far, _ = transformed_pair(transform, predicting, predicted, progress)
        wanted = torch.cat([targets[i] for i, _ in pairs])
        return F.cross_entropy(self.prototypes(far) / self.options.temperature, wanted)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> SwAV:
    """SwAV over a fresh encoder; the projector is linear, batch norm, ReLU, linear, with biases."""
    encoder = make_encoder()
    head = normed_mlp([encoder.width, options.hidden, options.dim], hidden_bias=True, last_bias=True)
    return SwAV(options, encoder, head)
