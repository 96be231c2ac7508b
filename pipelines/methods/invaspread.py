"""InvaSpread: two views of an image agree, all other images of the batch are spread out (Ye et al. 2019,
arXiv:1904.03436, eq. 5).

Nothing is stored and nothing moves slowly: one encoder for both views, negatives from the batch alone.
Differs from the released code: both views go through the network as one batch; with several processes the candidates
are those of all of them, where the released code takes one GPU's share.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.losses.invaspread import invaspread
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.spec.methods.invaspread import Options


class InvaSpread(Method):
    """encoder and head, shared by both views."""

    def __init__(self, options: Options, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.options, self.encoder, self.head = options, encoder, head

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W); the mean over the 2N anchors."""
        features = at_least_float32(self.head(self.encoder(torch.cat(views))))
        first, second = F.normalize(features, dim=1).chunk(2)
        gather = distributed.gather if self.options.detach else distributed.gather_with_gradient
        with full_precision(features.device):
            contrast = invaspread(
                first,
                second,
                self.options.temperature,
                negative_weight=self.options.negative_weight,
                detach=self.options.detach,
                candidates=(gather(first), gather(second)),
                offset=distributed.rank() * len(first),
            )
        watched = {"embeddings": first.detach(), **contrast.watched}
        return Output(contrast.loss, {}, watched)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> InvaSpread:
    """InvaSpread over a fresh encoder with one linear layer as head."""
    encoder = make_encoder()
    return InvaSpread(options, encoder, nn.Linear(encoder.width, options.dim))
