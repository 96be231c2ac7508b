"""Barlow Twins: two views' features correlate one to one, and with no other (Zbontar et al. 2021, arXiv:2103.03230).

Differs from the released code: every process correlates the embeddings of all, gathered with gradient, where there
batch norm is shared and the processes' parts of the matrix are summed; the matrix is the same, and the gradient is that
of the whole batch in one process. The last norm, which has no parameters, is part of the loss.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.losses.barlow_twins import barlow_twins
from pipelines.losses.regression import cosine
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32, normed_mlp
from pipelines.spec.methods.barlow_twins import Options


class BarlowTwins(Method):
    """encoder and projector, shared by both views, each of which passes batch norm on its own."""

    def __init__(self, options: Options, encoder: Encoder, projector: nn.Module) -> None:
        super().__init__()
        self.options, self.encoder, self.projector = options, encoder, projector

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W). Unscaled, the loss is ``dim`` for constant embeddings and 0 for a perfect match."""
        first, second = (at_least_float32(self.projector(self.encoder(view))) for view in views)
        with full_precision(first.device):
            gathered = (distributed.gather_with_gradient(z) for z in (first, second))
            on_diagonal, off_diagonal = barlow_twins(*gathered)
            loss = self.options.loss_scale * (on_diagonal + self.options.off_diagonal * off_diagonal)
            watched = {
                "embeddings": F.normalize(first.detach(), dim=1),
                "positive_scores": cosine(first.detach(), second.detach()),
            }
        scalars = {"on_diagonal": on_diagonal.detach(), "off_diagonal": off_diagonal.detach()}
        return Output(loss, scalars, watched)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> BarlowTwins:
    """Barlow Twins over a fresh encoder; the projector has three layers, without biases."""
    encoder = make_encoder()
    return BarlowTwins(options, encoder, normed_mlp([encoder.width, options.hidden, options.hidden, options.dim]))
