"""MoCo v3: find the other view's key among all keys of the batch (Chen et al. 2021, arXiv:2104.02057).

There is no queue; keys come from a moving average of encoder and projector, which moves before they are made.

Differs from the released code: a ViT's fixed positions put the column first, not the row (encoders/vit.py).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.encoders.vit import ViT, xavier_
from pipelines.errors import InputError
from pipelines.losses.in_batch import mocov3_loss
from pipelines.losses.pairs import but_own
from pipelines.methods import ema
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32, normed_mlp
from pipelines.spec.methods.moco_v3 import Options

Form = Literal["resnet", "vit"]
TEMPERATURE: dict[Form, float] = {"resnet": 1.0, "vit": 0.2}
"""Of the released recipes."""


class MoCoV3(Method):
    """encoder, projector and predictor make queries; the moving averages of the first two make keys.

    Each view passes batch norm on its own, keys with their network in training mode. A frozen encoder layer stays equal
    in both networks.
    """

    def __init__(
        self, options: Options, encoder: Encoder, projector: nn.Module, predictor: nn.Module, temperature: float
    ) -> None:
        super().__init__()
        self.options, self.temperature = options, temperature
        self.encoder, self.projector, self.predictor = encoder, projector, predictor
        self.key_encoder, self.key_projector = ema.frozen_copy(encoder), ema.frozen_copy(projector)

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W). The sum of both directions, each 2T x cross entropy over all processes' keys."""
        q1, q2 = (_unit(self.predictor(self.projector(self.encoder(view)))) for view in views)
        momentum = ema.cosine_momentum(self.options.momentum, progress.fraction)
        ema.update(self.key_encoder, self.encoder, momentum)
        ema.update(self.key_projector, self.projector, momentum)
        with torch.no_grad():
            k1, k2 = (distributed.gather(_unit(self.key_projector(self.key_encoder(view)))) for view in views)
        first = distributed.rank() * len(q1)
        with full_precision(q1.device):
            loss = mocov3_loss(q1, q2, k1, k2, self.temperature, first)
            positive, negative = _cosines(q1.detach(), k2, first)
        return Output(loss, {}, {"embeddings": q1.detach(), "positive_scores": positive, "negative_scores": negative})


def _unit(rows: Tensor) -> Tensor:
    return F.normalize(at_least_float32(rows), dim=1)


def _cosines(q: Tensor, k: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """Unit q (N, D), k (M, D) -> each query's cosine with its own key, number first + i, and with the others, (N, M-1)."""
    scores = q @ k.T
    own = torch.arange(first, first + len(q), device=q.device)
    return scores.gather(1, own.unsqueeze(1)).squeeze(1), scores.gather(1, but_own(own, len(k)))


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> MoCoV3:
    """MoCo v3 over a fresh encoder; a ViT of ours starts as the paper's: Xavier-uniform, class token near zero."""
    encoder = make_encoder()
    patches = patch_projection(encoder)
    form: Form = options.head if options.head != "auto" else "resnet" if patches is None else "vit"
    if isinstance(encoder, ViT):
        xavier_(encoder)
        nn.init.normal_(encoder.cls_token, std=1e-6)
    if options.freeze_patch_projection:
        if patches is None:
            raise InputError("freeze_patch_projection: this encoder has no patch projection; leave the option out")
        patches.requires_grad_(False)
    projector, predictor = heads(form, encoder.width, options.hidden, options.dim)
    return MoCoV3(options, encoder, projector, predictor, options.temperature or TEMPERATURE[form])


def heads(form: Form, width: int, hidden: int, dim: int) -> tuple[nn.Module, nn.Module]:
    """Projector from ``width`` and predictor from ``dim`` to ``dim``; all linear maps without bias."""
    layers = 3 if form == "vit" else 2
    projector = normed_mlp([width, *[hidden] * (layers - 1), dim], last_norm=True)
    return projector, normed_mlp([dim, hidden, dim], last_norm=form == "vit")


def patch_projection(encoder: Encoder) -> nn.Module | None:
    """The layer that makes a transformer's patches into tokens, in our ViT and in timm's; none in other encoders."""
    for module in encoder.modules():
        found = getattr(getattr(module, "patch_embed", None), "proj", None)
        if isinstance(found, nn.Module):
            return found
    return None
