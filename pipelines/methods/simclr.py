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
from pipelines.losses import feature_transform as ft
from pipelines.losses.info_nce import Contrast, info_nce_from_scores
from pipelines.losses.nt_xent import nt_xent
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import simclr_head
from pipelines.methods.transform import starts, transformed_pair
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
        transform = starts(self.options.feature_transform, progress)
        with full_precision(features.device):
            contrast = (
                self._transformed(transform, first, second, progress) if transform else self._plain(first, second)
            )
        watched = {
            "embeddings": first.detach(),
            "positive_scores": contrast.positive.detach(),
            "negative_scores": contrast.negative.detach(),
        }
        return Output(contrast.loss, {}, watched)

    def _plain(self, first: Tensor, second: Tensor) -> Contrast:
        return nt_xent(
            first,
            second,
            self.options.temperature,
            candidates=(distributed.gather_with_gradient(first), distributed.gather_with_gradient(second)),
            offset=distributed.rank() * len(first),
            code_scale=self.options.scale == "code",
        )

    def _transformed(self, options: FeatureTransform, first: Tensor, second: Tensor, progress: Progress) -> Contrast:
        """Extrapolated positives, and negatives mixed with a permutation of themselves."""
        contrast = self._plain(first, second)
        positive, negative = contrast.positive, contrast.negative
        if options.positive:
            far_first, far_second = transformed_pair(options, first, second, progress.generator)
            positive = (far_first * far_second).sum(dim=1).repeat(2)
            if options.negatives_meet == "extrapolated":
                negative = self._plain(far_first, far_second).negative
        if options.negative:
            weight = ft.draw_negative_lambda(options.negative.alpha, (), progress.generator)
            order = torch.randperm(negative.shape[1], generator=progress.generator, device=negative.device)
            negative = ft.interpolate_scores(negative, order, weight)
        loss = info_nce_from_scores(positive, negative, self.options.temperature)
        return Contrast(2 * loss if self.options.scale == "code" else loss, positive, negative)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> SimCLR:
    """SimCLR over a fresh encoder; the head's hidden layers are as wide as the encoder unless told otherwise."""
    encoder = make_encoder()
    hidden = options.hidden or encoder.width
    return SimCLR(options, encoder, simclr_head([encoder.width, *[hidden] * (options.head_layers - 1), options.dim]))
