"""Peers: the methods of lightly (github.com/lightly-ai/lightly, 1.6) in our loop, to compare implementations row by row.

Heads, losses and momentum updates are put together as the PyTorch examples of lightly's documentation do it, around our
encoder and with the options of our method of the same name. Data, order, optimizer, schedule and evaluation are ours.

Differs from the examples: heads have the widths of the options; losses are computed in float32, as ours are, where the
encoder runs in bfloat16; negatives and statistics are gathered from all processes, as in lightly's distributed examples;
the memory bank, which lightly leaves out of checkpoints, is in them.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress, full_precision
from pipelines.methods.heads import at_least_float32
from pipelines.methods.lightly_mae import PeerMAE
from pipelines.methods.lightly_momentum import Momentum, Result
from pipelines.methods.lightly_multicrop import PeerDINO, PeerSwAV
from pipelines.methods.mae_encoder import fresh_vit
from pipelines.spec.methods.lightly import Options

try:
    from lightly.loss import BarlowTwinsLoss, NegativeCosineSimilarity, NTXentLoss, VICRegLoss
    from lightly.models.modules import heads
except ImportError as error:
    raise InputError(f"use: lightly needs the package lightly ({error}); pip install -e '.[peers]'") from None


class Shared(nn.Module):
    """SimCLR, Barlow Twins, VICReg: one network for both views, one view after the other, and a loss of the projections."""

    def __init__(self, projection_head: nn.Module, criterion: nn.Module) -> None:
        super().__init__()
        self.projection_head, self.criterion = projection_head, criterion

    def forward(self, backbone: Encoder, views: list[Tensor], progress: Progress) -> Result:
        z0, z1 = (at_least_float32(self.projection_head(backbone(view))) for view in views)
        with full_precision(z0.device):
            return self.criterion(z0, z1), z0


class PeerSimSiam(nn.Module):
    """Projection and prediction by one network for both views."""

    def __init__(self, projection_head: nn.Module, prediction_head: nn.Module) -> None:
        super().__init__()
        self.projection_head, self.prediction_head = projection_head, prediction_head
        self.criterion = NegativeCosineSimilarity()

    def forward(self, backbone: Encoder, views: list[Tensor], progress: Progress) -> Result:
        z0, z1 = (self.projection_head(backbone(view)) for view in views)
        p0, p1 = (at_least_float32(self.prediction_head(z)) for z in (z0, z1))
        z0, z1 = at_least_float32(z0).detach(), at_least_float32(z1).detach()
        with full_precision(p0.device):
            return 0.5 * (self.criterion(z0, p1) + self.criterion(z1, p0)), z0


class PeerBYOL(Momentum):
    """The prediction of each view meets the slow projection of the other."""

    def __init__(
        self, options: Options, backbone: Encoder, projection_head: nn.Module, prediction_head: nn.Module
    ) -> None:
        super().__init__(options, backbone, projection_head)
        self.prediction_head, self.criterion = prediction_head, NegativeCosineSimilarity()

    def forward(self, backbone: Encoder, views: list[Tensor], progress: Progress) -> Result:
        self.move(backbone, progress)
        y0, y1 = (self.projection_head(backbone(view)) for view in views)
        p0, p1 = (at_least_float32(self.prediction_head(y)) for y in (y0, y1))
        z0, z1 = (self.slow(view) for view in views)
        with full_precision(p0.device):
            return 0.5 * (self.criterion(p0, z1) + self.criterion(p1, z0)), at_least_float32(y0)


class PeerMoCo(Momentum):
    """The first view asks, the slow projection of the second answers; a memory bank of earlier answers is the negatives."""

    def __init__(self, options: Options, backbone: Encoder, projection_head: nn.Module) -> None:
        super().__init__(options, backbone, projection_head)
        assert options.queue_size
        assert options.dim
        self.criterion = nt_xent(options, (options.queue_size, options.dim))
        for part in list(self.criterion.modules()):
            for name, buffer in list(part.named_buffers(recurse=False)):  # not persistent, and a resumed run needs them
                part.register_buffer(name, buffer, persistent=True)

    def forward(self, backbone: Encoder, views: list[Tensor], progress: Progress) -> Result:
        self.move(backbone, progress)
        query = at_least_float32(self.projection_head(backbone(views[0])))
        key = self.slow(views[1])
        with full_precision(query.device):
            return self.criterion(query, key), query


class Lightly(Method):
    """encoder and, around it, one of lightly's methods. Processes draw views one by one, so their losses are their own."""

    same_on_processes = False

    def __init__(self, encoder: Encoder, peer: nn.Module) -> None:
        super().__init__()
        self.encoder, self.peer = encoder, peer  # DINO's is the teacher, as in its paper's numbers
        if isinstance(peer, PeerSimSiam):
            self.constant_lr = (peer.prediction_head,)  # the paper's schedule, as in our SimSiam

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W), with multi-crop small ones behind them, of MAE one; the loss as lightly scales it."""
        loss, projections = self.peer(self.encoder, views, progress)
        return Output(loss, {}, {"embeddings": F.normalize(projections.detach(), dim=1)})


def nt_xent(options: Options, memory_bank_size: int | tuple[int, int] = 0) -> nn.Module:
    """lightly's InfoNCE, with a memory bank or among the batch."""
    return NTXentLoss(options.temperature, memory_bank_size, gather_distributed=distributed.world_size() > 1)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> Lightly:
    """A method of lightly's over a fresh encoder, whose weights are those that our methods start from."""
    encoder = fresh_vit(make_encoder, options.mask_ratio, facts) if options.mask_ratio else make_encoder()
    return Lightly(encoder, _peer(options, encoder, facts))


def _peer(options: Options, encoder: Encoder, facts: DataFacts) -> nn.Module:
    gather, width = distributed.world_size() > 1, encoder.width
    hidden, dim = options.hidden or width, options.dim or 0  # DINO's is its bottleneck
    match options.method:
        case "simclr":
            return Shared(heads.SimCLRProjectionHead(width, hidden, dim), nt_xent(options))
        case "barlow_twins":
            criterion = BarlowTwinsLoss(options.off_diagonal, gather_distributed=gather)
            return Shared(heads.BarlowTwinsProjectionHead(width, hidden, dim), criterion)
        case "vicreg":
            weights = (options.invariance, options.variance, options.covariance)
            return Shared(
                heads.VICRegProjectionHead(width, hidden, dim), VICRegLoss(*weights, gather_distributed=gather)
            )
        case "simsiam":
            predictor = heads.SimSiamPredictionHead(dim, options.predictor_hidden or max(1, dim // 4), dim)
            return PeerSimSiam(heads.SimSiamProjectionHead(width, hidden, dim), predictor)
        case "byol":
            predictor = heads.BYOLPredictionHead(dim, options.predictor_hidden or hidden, dim)
            return PeerBYOL(options, encoder, heads.BYOLProjectionHead(width, hidden, dim), predictor)
        case "moco_v2":
            return PeerMoCo(options, encoder, heads.MoCoProjectionHead(width, width, dim))
        case "swav":
            return PeerSwAV(options, heads.SwaVProjectionHead(width, hidden, dim))
        case "dino":
            return PeerDINO(options, encoder, hidden)
        case "mae":
            assert isinstance(encoder, ViT)
            return PeerMAE(options, encoder, facts)
