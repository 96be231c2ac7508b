"""SimSiam: predict the other view's projection by the same network, held constant (Chen and He 2020, arXiv:2011.10566).

With the positive side of feature transformation (Zhu et al. 2021, arXiv:2108.02982) as an option.

Differs from the released code: the projector's last linear map has no bias (there it is random, frozen, and removed by
the batch norm behind it), and the learning rate follows its cosine by step, not by epoch. Feature transformation is ours
to place, as its code for SimSiam was not released: unit prediction and unit target are extrapolated, the target already
without gradient, and the loss is minus their dot product.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.encoders.norms import NormKind
from pipelines.losses.regression import cosine, simsiam_loss
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32, normed_mlp
from pipelines.methods.transform import starts, transformed_pair
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.methods.simsiam import Options


class SimSiam(Method):
    """encoder, projector and predictor, shared by both views, each of which passes batch norm on its own.

    Watched as embeddings are the projections, whose spread the paper plots (figure 2). With batch norm on them (norm:
    default) they have mean 0 over the batch and cannot all become one point: N - 1 alike and one opposite are as far
    as collapse goes, a spread of sqrt(1 - (1 - 2 / N)^2): 0.09 at the paper's N = 512, but 0.25 at 64.
    """

    def __init__(self, options: Options, encoder: Encoder, projector: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.options = options
        self.encoder, self.projector, self.predictor = encoder, projector, predictor
        if options.constant_predictor_lr:
            self.constant_lr = (predictor,)

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W). A loss in [-1, 1] (further out with feature transformation)."""
        z1, z2 = (self.projector(self.encoder(view)) for view in views)
        p1, p2 = (at_least_float32(self.predictor(z)) for z in (z1, z2))
        z1, z2 = at_least_float32(z1), at_least_float32(z2)
        transform = starts(self.options.feature_transform, progress)
        with full_precision(p1.device):
            if transform:
                loss = (self._far(p1, z2, transform, progress) + self._far(p2, z1, transform, progress)) / 2
            else:
                loss = simsiam_loss(p1, p2, z1, z2, self.options.stop_gradient)
            watched = {
                "embeddings": F.normalize(z1.detach(), dim=1),
                "positive_scores": cosine(p1, z2).detach(),
            }
        return Output(loss, {}, watched)

    def _far(self, p: Tensor, z: Tensor, transform: FeatureTransform, progress: Progress) -> Tensor:
        """Minus the mean dot product of prediction and target pushed apart."""
        z = z.detach() if self.options.stop_gradient else z
        far_p, far_z = transformed_pair(transform, F.normalize(p, dim=1), F.normalize(z, dim=1), progress)
        return -(far_p * far_z).sum(1).mean()


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> SimSiam:
    """SimSiam over a fresh encoder."""
    encoder = make_encoder()
    norm, dim = options.norm, options.dim
    hidden = options.hidden or encoder.width
    widths = [encoder.width, *[hidden] * (options.projector_layers - 1), dim]
    projector = normed_mlp(widths, _hidden_norm(options), last_norm=norm in ("default", "all"))
    return SimSiam(options, encoder, projector, _predictor(options))


def _predictor(options: Options) -> nn.Module:
    if options.predictor == "none":
        return nn.Identity()
    dim, norm = options.dim, options.norm
    widths = [dim, options.predictor_hidden or max(1, dim // 4), dim]
    predictor = normed_mlp(widths, _hidden_norm(options), last_bias=norm != "all", last_norm=norm == "all")
    return predictor.requires_grad_(options.predictor != "fixed")


def _hidden_norm(options: Options) -> NormKind:
    return "none" if options.norm == "none" else "batch"
