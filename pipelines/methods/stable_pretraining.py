"""Peers: the method classes of stable-pretraining (github.com/galilai-group/stable-pretraining, 0.1.8) in our loop.

Heads, losses and forward passes are its classes' own, around our encoder and with the options of our method of the same
name. Moving averages are updated as its callback does it: after the optimizer's step, along a cosine by epoch. Data, order,
optimizer, schedule and evaluation are ours. The evaluated encoder is the one that learns, as in our methods; the package's
own evaluation takes BYOL's and MoCo's moving average. Losses run in the number format of the encoder, as they do there.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods.base import DataFacts, MakeEncoder, Method, Output, Progress
from pipelines.methods.heads import at_least_float32
from pipelines.spec.methods.stable_pretraining import Options

try:
    from stable_pretraining import methods as theirs
    from stable_pretraining.backbone import TeacherStudentWrapper
except ImportError as error:
    raise InputError(
        f"use: stable_pretraining needs the package stable-pretraining ({error}); run make install-peers"
    ) from None


class StablePretraining(Method):
    """encoder and, around it, one of the package's methods. Processes draw views one by one, so their losses are their own."""

    same_on_processes = False

    def __init__(self, encoder: Encoder, peer: nn.Module) -> None:
        super().__init__()
        self.encoder, self.peer = encoder, peer

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: two (N, 3, H, W), with multi-crop small ones behind them; the loss as the package scales it."""
        small = len(views) > 2
        found = self.peer(global_views=views[:2], local_views=views[2:]) if small else self.peer(*views)
        rows = at_least_float32(_rows(found)[: len(batch.index)])
        return Output(found.loss, {}, {"embeddings": F.normalize(rows.detach(), dim=1)})

    def after_step(self, progress: Progress) -> None:
        """What the package's callback does to every moving average."""
        for part in self.peer.modules():
            if isinstance(part, TeacherStudentWrapper):
                part.update_ema_coefficient(int(progress.epoch), progress.epochs)
                part.update_teacher()


class Width(nn.Module):
    """Stands for the encoder while a class is built: they measure its width on an image of 224 pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, images: Tensor) -> Tensor:
        """(N, width) zeros."""
        return images.new_zeros(len(images), self.width)


def build(options: Options, make_encoder: MakeEncoder, facts: DataFacts) -> StablePretraining:
    """A method of the package's over a fresh encoder, whose weights are those that our methods start from."""
    encoder = make_encoder()
    peer = _peer(options, encoder.width)
    if isinstance(peer.backbone, TeacherStudentWrapper):
        peer.backbone = TeacherStudentWrapper(encoder, True, *_momenta(options).values())
    else:
        peer.backbone = encoder
    return StablePretraining(encoder, peer)


def _peer(options: Options, width: int) -> Any:
    """The package's class with its options; the encoder is not in it yet."""
    stand_in, hidden, dim = Width(width), options.hidden or width, options.dim
    match options.method:
        case "simclr":
            return theirs.SimCLR(stand_in, (hidden, dim), options.temperature)
        case "barlow_twins":
            return theirs.BarlowTwins(stand_in, (hidden, hidden, dim), options.off_diagonal)
        case "vicreg":
            weights = (options.invariance, options.variance, options.covariance)
            return theirs.VICReg(stand_in, (hidden, hidden, dim), *weights)
        case "simsiam":
            assert dim
            return theirs.SimSiam(stand_in, dim, options.predictor_hidden or max(1, dim // 4))
        case "swav":
            codes = (options.prototypes, options.temperature, options.sinkhorn_iterations, options.epsilon)
            return theirs.SwAV(stand_in, (hidden, dim), *codes)
        case "byol":
            predictor = (options.predictor_hidden or hidden, dim)
            return theirs.BYOL(stand_in, (hidden, dim), predictor, **_momenta(options))
        case "moco_v2":
            return theirs.MoCov2(stand_in, (width, dim), options.queue_size, options.temperature, **_momenta(options))


def _momenta(options: Options) -> dict[str, Any]:
    return {"ema_decay_start": options.momentum, "ema_decay_end": options.last_momentum}


def _rows(found: Any) -> Tensor:
    """What the loss compared, the first view's rows first."""
    for name in ("projection", "prediction", "queries"):
        rows = getattr(found, name, None)
        if isinstance(rows, torch.Tensor):
            return rows
    raise AssertionError(f"{type(found).__name__} has no rows to watch")
