"""BYOL: predict a slow target's projection of the other view (Grill et al. 2020, arXiv:2006.07733, eq. 2).

Differs from the released code: no linear classifier is trained beside; the target starts as a copy unless asked
otherwise; linear layers start as PyTorch's do. Feature transformation (arXiv:2108.02982) is ours to place.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.losses.regression import byol_loss, cosine
from pipelines.methods import ema
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32, normed_mlp
from pipelines.methods.transform import starts, transformed_pair
from pipelines.spec.methods.byol import Options


class BYOL(Method):
    """encoder, projector and predictor learn; the moving averages of the first two give the targets.

    target: encoder and projector to start the averages at; none: copies of the online ones. Each view passes batch norm
    on its own, in the target too, which is in training mode.
    """

    def __init__(
        self,
        options: Options,
        encoder: Encoder,
        projector: nn.Module,
        predictor: nn.Module,
        target: tuple[Encoder, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.options = options
        self.encoder, self.projector, self.predictor = encoder, projector, predictor
        start_encoder, start_projector = target or (encoder, projector)
        self.target_encoder, self.target_projector = ema.frozen_copy(start_encoder), ema.frozen_copy(start_projector)

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W). A loss in [0, 8] (higher with feature transformation); random predictions give about 4."""
        z1, z2 = (self.projector(self.encoder(view)) for view in views)
        p1, p2 = (at_least_float32(self.predictor(z)) for z in (z1, z2))
        with torch.no_grad():
            t1, t2 = (at_least_float32(self.target_projector(self.target_encoder(view))) for view in views)
        with full_precision(p1.device):
            loss = self._loss((p1, t2), (p2, t1), progress)
            watched = {
                "embeddings": F.normalize(at_least_float32(z1.detach()), dim=1),
                "positive_scores": cosine(p1.detach(), t2),
            }
        return Output(loss, {}, watched)

    def _loss(self, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], progress: Progress) -> Tensor:
        """Of two pairs of prediction and target; pushed apart, 4 less twice their dot products instead of cosines."""
        transform = starts(self.options.feature_transform, progress)
        if transform is None:
            return byol_loss(one[0], other[0], other[1], one[1])
        total = torch.zeros((), device=one[0].device)
        for prediction, target in (one, other):
            unit = F.normalize(prediction, dim=1), F.normalize(target, dim=1)
            far_p, far_t = transformed_pair(transform, *unit, progress)
            total = total + (2 - 2 * (far_p * far_t).sum(dim=1)).mean()
        return total

    def after_step(self, progress: Progress) -> None:
        """Move the target towards the new online weights, by the momentum of the step just done."""
        start, cosine_curve = self.options.momentum, self.options.momentum_schedule == "cosine"
        momentum = ema.cosine_momentum(start, progress.fraction) if cosine_curve else start
        ema.update(self.target_encoder, self.encoder, momentum)
        ema.update(self.target_projector, self.projector, momentum)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> BYOL:
    """BYOL over a fresh encoder, and over a second one for the target where it starts fresh."""
    encoder = make_encoder()
    projector = _head(encoder.width, options.hidden, options.dim, options)
    predictor: nn.Module = nn.Identity()
    if options.predictor == "mlp":
        hidden, norm = options.predictor_hidden or options.hidden, options.predictor_norm or options.norm
        predictor = normed_mlp([options.dim, hidden, options.dim], norm, hidden_bias=True)
    target = None
    if options.target_start == "fresh":
        target = make_encoder(), _head(encoder.width, options.hidden, options.dim, options)
    return BYOL(options, encoder, projector, predictor, target)


def _head(inside: int, hidden: int, outside: int, options: Options) -> nn.Module:
    return normed_mlp([inside, hidden, outside], options.norm, hidden_bias=True)
