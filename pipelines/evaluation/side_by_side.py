"""Linear classifiers trained side by side on one frozen encoder: one pass over the images teaches all of them.

A candidate is a feature and a learning rate. It has one classifier that learns from all rows, and, for each part that
judges, a twin that learns from the rows this part leaves it. So the choice is made and what is chosen is ready at once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines import distributed
from pipelines.batch import Batch
from pipelines.encoders.base import Encoder
from pipelines.evaluation.tapped import Tapped, features_of, width_of
from pipelines.methods.base import Method, Output, Progress, full_precision

LEAST = 2
"""Rows that a twin learns from: batch norm has no meaning for one."""


class ProbeCandidate(NamedTuple):
    """A feature, and a learning rate for a batch of 256."""

    feature: str
    lr: float


class ProbesSideBySide(nn.Module):
    """Every candidate's classifier for one set of rows, and where asked for a norm before it, of those rows alone."""

    def __init__(
        self, encoder: Encoder, candidates: Sequence[ProbeCandidate], num_classes: int, batch_norm: bool
    ) -> None:
        super().__init__()
        self.candidates = tuple(candidates)
        widths = {each.feature: width_of(encoder, each.feature) for each in candidates}
        self.norms = nn.ModuleDict(
            {
                name: nn.BatchNorm1d(width, eps=1e-6, affine=False) if batch_norm else nn.Identity()
                for name, width in widths.items()
            }
        )
        self.linears = nn.ModuleList(nn.Linear(widths[each.feature], num_classes) for each in candidates)
        for linear in self.linears:
            nn.init.normal_(linear.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.zeros_(linear.bias)  # type: ignore[arg-type]

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Features (N, F) by name -> (R, N, C): the logits of every candidate."""
        normed = {name: norm(features[name]) for name, norm in self.norms.items()}
        return torch.stack([linear(normed[one.feature]) for linear, one in zip(self.linears, self.candidates)])


class SideBySide(Method):
    """All classifiers of all candidates.

    learns   (P, n) bool: which of n images each of the P judged sets of twins learns from
    """

    learns: Tensor

    def __init__(
        self, encoder: Encoder, candidates: Sequence[ProbeCandidate], learns: Tensor, num_classes: int, batch_norm: bool
    ) -> None:
        super().__init__()
        self.encoder, self.candidates = encoder.requires_grad_(False), tuple(candidates)
        self.whole, *twins = (
            ProbesSideBySide(encoder, candidates, num_classes, batch_norm) for _ in range(1 + len(learns))
        )
        self.twins = nn.ModuleList(twins)
        self.register_buffer("learns", learns)
        fastest = max(each.lr for each in candidates)
        self.lr_shares = tuple(
            (each.lr / fastest, linear)
            for probes in (self.whole, *twins)
            for each, linear in zip(candidates, probes.linears)
        )

    def features(self, images: Tensor) -> dict[str, Tensor]:
        """What the candidates read, from the encoder as it is: in eval mode, without gradient."""
        self.encoder.eval()
        with torch.no_grad():
            return features_of(self.encoder, images, list(dict.fromkeys(each.feature for each in self.candidates)))

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: one (N, 3, H, W). The sum over classifiers of their mean cross-entropy; each learns from its own.

        A classifier whose loss has left the range of numbers is left out: too high a rate must not end the others.
        """
        features = self.features(views[0])
        with full_precision(batch.label.device):
            losses = [_losses(self.whole, features, batch.label)]
            parts = [learns[batch.index].nonzero().squeeze(1) for learns in self.learns]
            for probes, rows, weight in zip(self.twins, parts, _weights(parts, batch.label.device)):
                if len(rows) >= LEAST:
                    own = {name: each.index_select(0, rows) for name, each in features.items()}
                    losses.append(weight * _losses(probes, own, batch.label[rows]))
                elif distributed.world_size() > 1:  # all processes send gradients of the same parameters
                    losses.append(0.0 * torch.cat([each.flatten() for each in probes.parameters()]).sum()[None])
            every = torch.cat(losses)
            kept = every[every.isfinite()].sum() + 0.0 * every[0].nan_to_num()  # a graph, whatever is left
        return Output(kept, {"classifiers": every.isfinite().sum().float()})

    def chosen(self, number: int) -> Tapped:
        """The classifier of one candidate that learnt from all rows."""
        one = self.candidates[number]
        linear = self.whole.linears[number]
        assert isinstance(linear, nn.Linear)
        return Tapped(self.encoder, one.feature, self.whole.norms[one.feature], linear)


def _weights(parts: Sequence[Tensor], device: torch.device) -> Tensor:
    """(P,): by what the mean loss of this process's rows counts, so that the mean over processes is that of all rows."""
    counts = torch.tensor(
        [len(rows) if len(rows) >= LEAST else 0 for rows in parts], dtype=torch.float32, device=device
    )
    return counts / distributed.mean(counts).clamp(min=1 / distributed.world_size())


def _losses(probes: nn.Module, features: dict[str, Tensor], label: Tensor) -> Tensor:
    """(R,): every candidate's mean cross-entropy, in nats."""
    scores = probes(features)  # (R, N, C)
    each = F.cross_entropy(scores.flatten(0, 1), label.repeat(len(scores)), reduction="none")
    return each.view(len(scores), -1).mean(1)
