"""MoCo v1 and v2: a queue of keys from a slowly moving encoder (He et al. 2020, arXiv:1911.05722; arXiv:2003.04297).

With feature transformation (Zhu et al. 2021, arXiv:2108.02982) as an option.

Differs from the released code: keys enter the queue after the optimizer step instead of before the backward pass, which
spares a copy of the queue; every loss still meets the queue as it was before its own batch. A batch that does not divide
the queue wraps around. The queue starts with unit rows.

Batch norm is shuffled between processes (section 3.3). One process has nobody to shuffle with: unless ``bn_splits`` is more
than 1, a query shares its batch statistics with its key there, the leak that the paper shuffles against, and the method may
lower its loss by it without learning. The record's ``images_per_batch_norm`` tells: the whole batch is unshuffled.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.encoders.norms import split_batch_norm
from pipelines.losses.info_nce import Contrast, info_nce, info_nce_from_scores, scores
from pipelines.losses.queue import enqueue, initial_queue
from pipelines.methods import ema
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import mlp
from pipelines.methods.shuffle import shuffled
from pipelines.methods.transform import kept_scores, starts, transformed_negatives, transformed_pair
from pipelines.schedules import cosine
from pipelines.spec.methods.moco import Options


class MoCo(Method):
    """encoder and head make queries; their moving averages make keys; the queue holds the last keys of all processes."""

    sync_statistics = False  # shuffled between processes instead
    queue: Tensor
    pointer: Tensor
    fresh: Tensor | None = None
    """Keys of this step, waiting for after_step to enqueue them."""

    def __init__(self, options: Options, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.options = options
        self.encoder, self.head = encoder, head
        self.key_encoder, self.key_head = ema.frozen_copy(encoder), ema.frozen_copy(head)
        start = torch.Generator().manual_seed(int(torch.randint(2**31, ())))  # the caller's seed decides it
        self.register_buffer("queue", initial_queue(options.queue_size, options.dim, start))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.int64))

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W). The key encoder moves first, so keys come from the queries' current weights."""
        first, second = views
        queries = [self._embed(self.encoder, self.head, first)]
        if self.options.symmetric:
            queries.append(self._embed(self.encoder, self.head, second))
        momentum = self._momentum(progress)
        ema.update(self.key_encoder, self.encoder, momentum)
        ema.update(self.key_head, self.head, momentum)
        keys = [self._keys(images, progress) for images in (second, first)[: len(queries)]]
        self.fresh = torch.cat([distributed.gather(k) for k in reversed(keys)])
        with full_precision(first.device):
            contrasts = [self._contrast(q, k, progress) for q, k in zip(queries, keys)]
        total = torch.stack([contrast.loss for contrast in contrasts]).sum()
        watched = {"embeddings": queries[0].detach(), **contrasts[0].watched}
        return Output(total, {"untransformed_positive": (queries[0] * keys[0]).sum(1).mean().detach()}, watched)

    def after_step(self, progress: Progress) -> None:
        """Enqueue this step's keys, unmixed."""
        assert self.fresh is not None, "after_step without a loss before it"
        enqueue(self.queue, self.pointer, self.fresh)
        self.fresh = None

    def _momentum(self, progress: Progress) -> float:
        start, end = self.options.momentum, self.options.final_momentum
        return start if end is None else cosine(start, end)(progress.fraction)

    def _contrast(self, q: Tensor, k: Tensor, progress: Progress) -> Contrast:
        """InfoNCE of one direction against the queue, transformed where the options say so."""
        transform = starts(self.options.feature_transform, progress)
        if transform is None:
            return info_nce(q, k, self.queue, self.options.temperature, keep_scores=progress.watching)
        far_q, far_k = transformed_pair(transform, q, k, progress)
        mixed = transformed_negatives(transform, self.queue, progress)
        before = scores(q.detach(), k, self.queue) if progress.watching else None
        if transform.negatives_meet == "extrapolated":
            contrast = info_nce(far_q, far_k, mixed, self.options.temperature, keep_scores=progress.watching)
            return contrast._replace(before=before)
        plain, negative = scores(q, k, mixed)
        positive = kept_scores(transform, (far_q * far_k).sum(dim=1), plain)
        return Contrast.of(
            info_nce_from_scores(positive, negative, self.options.temperature), positive, negative, before
        )

    @torch.no_grad()
    def _keys(self, images: Tensor, progress: Progress) -> Tensor:
        encode: Callable[[Tensor], Tensor] = lambda some: self._embed(self.key_encoder, self.key_head, some)  # noqa: E731
        if distributed.world_size() == 1 and self.options.bn_splits == 1:
            return encode(images)
        return shuffled(encode, images, progress.generator, progress.joint)

    def _embed(self, encoder: nn.Module, head: nn.Module, images: Tensor) -> Tensor:
        """(N, dim) unit rows, float32 at least."""
        features = head(encoder(images))
        return F.normalize(features if features.dtype == torch.float64 else features.float(), dim=1)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> MoCo:
    """MoCo over a fresh encoder; a hidden layer of the head is as wide as the encoder unless told."""
    encoder = make_encoder()
    if options.bn_splits > 1:
        split_batch_norm(encoder, options.bn_splits)
    hidden = [options.hidden or encoder.width] if options.two_layers else []
    return MoCo(options, encoder, mlp([encoder.width, *hidden, options.dim]))
