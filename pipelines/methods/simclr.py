"""SimCLR v1 and v2's pretraining: each view finds its partner among all others of the batch (Chen et al. 2020,
arXiv:2002.05709 and 2006.10029), with feature transformation (arXiv:2108.02982) as an option.

Differs from the papers: feature transformation is ours to place, since its code for SimCLR was not released. The two
embeddings of an image are extrapolated; the negatives of an anchor are mixed among themselves, in score space.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.losses.nt_xent import nt_xent
from pipelines.losses.pairs import pair_scores
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import simclr_head
from pipelines.methods.transform import kept_scores, starts, transformed_pair, transformed_scores
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.methods.simclr import Options


class SimCLR(Method):
    """encoder and head, shared by both views; negatives of all processes, gathered with gradient."""

    def __init__(self, options: Options, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.options, self.encoder, self.head = options, encoder, head

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W); both go through the network as one batch, so batch norm sees all 2N."""
        features = self.head(self.encoder(torch.cat(views)))
        if features.dtype != torch.float64:
            features = features.float()
        first, second = F.normalize(features, dim=1).chunk(2)
        transform, code_scale = starts(self.options.feature_transform, progress), self.options.scale == "code"
        before = None
        with full_precision(features.device):
            if transform:
                before = self._scores(first.detach(), second.detach()) if progress.watching else None
                positive, negative = self._transformed(transform, first, second, progress)
            else:
                positive, negative = self._scores(first, second)
            contrast = nt_xent(positive, negative, self.options.temperature, code_scale=code_scale)
        watched = {"embeddings": first.detach(), **contrast._replace(before=before).watched}
        return Output(contrast.loss, {}, watched)

    def _scores(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Of this process's 2N anchors: with their partners (2N,), with all processes' other rows (2N, 2M - 2)."""
        everyone = distributed.gather_with_gradient(first), distributed.gather_with_gradient(second)
        return pair_scores(first, second, everyone, distributed.rank() * len(first))

    def _transformed(
        self, options: FeatureTransform, first: Tensor, second: Tensor, progress: Progress
    ) -> tuple[Tensor, Tensor]:
        """The scores of extrapolated positives, and of negatives mixed with a permutation of themselves."""
        positive, negative = self._scores(*transformed_pair(options, first, second, progress))
        if options.negatives_meet == "original":
            plain, negative = self._scores(first, second)
            positive = kept_scores(options, positive, plain)
        return positive, transformed_scores(options, negative, progress)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> SimCLR:
    """SimCLR over a fresh encoder; the head's hidden layers are as wide as the encoder unless told otherwise."""
    encoder = make_encoder()
    hidden = options.hidden or encoder.width
    layers = options.head_layers
    after = [*[hidden] * (layers - 1), options.dim] if layers else []
    return SimCLR(options, encoder, simclr_head([encoder.width, *after]))
