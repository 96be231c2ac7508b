"""VICReg: two views' embeddings agree while their features keep a variance and stay uncorrelated (Bardes et al. 2022,
arXiv:2105.04906).

Differs from the released code: the distance between the views, too, is taken over the gathered batch. Its mean over
processes is the same.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.losses.regression import cosine
from pipelines.losses.vicreg import vicreg
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32, normed_mlp
from pipelines.spec.methods.vicreg import Options


class VICReg(Method):
    """encoder and expander, shared by both views, each of which passes batch norm on its own."""

    def __init__(self, options: Options, encoder: Encoder, expander: nn.Module) -> None:
        super().__init__()
        self.options, self.encoder, self.expander = options, encoder, expander

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W). Constant embeddings cost almost the weight of the variance, times its two views."""
        options = self.options
        first, second = (at_least_float32(self.expander(self.encoder(view))) for view in views)
        with full_precision(first.device):
            terms = vicreg(*(distributed.gather_with_gradient(z) for z in (first, second)))
            hinge = terms.variance if options.scale == "paper" else terms.variance / 2
            loss = (
                options.invariance * terms.invariance + options.variance * hinge + options.covariance * terms.covariance
            )
            watched = {
                "embeddings": F.normalize(first.detach(), dim=1),
                "positive_scores": cosine(first.detach(), second.detach()),
            }
        return Output(loss, {name: term.detach() for name, term in terms._asdict().items()}, watched)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> VICReg:
    """VICReg over a fresh encoder; the expander has three layers, hidden ones with biases."""
    encoder = make_encoder()
    widths = [encoder.width, options.hidden, options.hidden, options.dim]
    return VICReg(options, encoder, normed_mlp(widths, hidden_bias=True))
