"""AMDIM: predict one view's feature maps from the other's at several scales (Bachman et al. 2019, arXiv:1906.00910).

Scores are dot products over sqrt(C); their squares are penalised before they are clipped by c tanh(s / c). The 1-5-7
pairing: the 1x1 feature against the 5x5 and the 7x7 map, and one 5x5 position against the 5x5 map, both directions.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class BlockScores(NamedTuple):
    """One source against one map.

    log_share  (N, P) log-softmax of each own position against all positions of other images, nats
    positive   (N, P) clipped scores with the own positions
    penalty    0-d, weight * mean squared score before clipping
    """

    log_share: Tensor
    positive: Tensor
    penalty: Tensor

    @property
    def loss(self) -> Tensor:
        """0-d, mean over images and positions, without the penalty."""
        return -self.log_share.mean()


class Amdim(NamedTuple):
    """The total and its terms, all 0-d: loss = one_to_five + one_to_seven + five_to_five + penalty."""

    loss: Tensor
    one_to_five: Tensor
    one_to_seven: Tensor
    five_to_five: Tensor
    penalty: Tensor


Maps = tuple[Tensor, Tensor, Tensor]
"""One view's maps: (N, C, 1, 1), (N, C, a, a), (N, C, b, b); a = 5, b = 7 in the paper."""


def tanh_clip(scores: Tensor, clip: float) -> Tensor:
    """clip * tanh(scores / clip): nearly the identity for small scores, within +-clip."""
    return clip * torch.tanh(scores / clip)


def block(source: Tensor, target: Tensor, *, clip: float = 20.0, penalty: float = 0.05, offset: int = 0) -> BlockScores:
    """NCE of one source vector an image against a map: own positions are positives, other images' are negatives.

    source (N, C); target (M, C, P), M >= N images of which source's start at ``offset`` (M = N on one process). An
    image's own other positions are neither positive nor negative.
    """
    images = len(target)
    assert images > 1, "without a second image there is nothing to tell apart"
    raw = torch.einsum("ic,jcp->ijp", source, target) / math.sqrt(source.shape[1])
    clipped = tanh_clip(raw, clip)
    rows = torch.arange(len(source), device=source.device)
    positive = clipped[rows, rows + offset]  # (N, P)
    own = (rows[:, None] + offset == torch.arange(images, device=source.device)[None, :]).unsqueeze(2)
    others = torch.logsumexp(clipped.masked_fill(own, -math.inf).flatten(1), dim=1, keepdim=True)  # (N, 1)
    return BlockScores(-F.softplus(others - positive), positive, penalty * raw.square().mean())


def draw_positions(images: int, positions: int, generator: torch.Generator) -> Tensor:
    """(images,) int64: one flat position of a map for each image."""
    return torch.randint(positions, (images,), generator=generator, device=generator.device)


def amdim(
    maps_1: Maps,
    maps_2: Maps,
    positions_1: Tensor,
    positions_2: Tensor,
    *,
    clip: float = 20.0,
    penalty: float = 0.05,
    everyone: tuple[Maps, Maps] | None = None,
    offset: int = 0,
) -> Amdim:
    """The whole objective, nats: each term averages both directions, the penalty is half the sum of all six.

    positions_v (N,) int64, flat place (row * a + column) of view v's source vector in its middle map. everyone: both
    views' maps of M >= N images to compare with, of which these start at ``offset``; none: these alone.
    """
    one_1, middle_1, _ = (features.flatten(2) for features in maps_1)
    one_2, middle_2, _ = (features.flatten(2) for features in maps_2)
    targets_1, targets_2 = everyone or (maps_1, maps_2)

    def both(source_1: Tensor, source_2: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        forth = block(source_1, targets_2[scale].flatten(2), clip=clip, penalty=penalty, offset=offset)
        back = block(source_2, targets_1[scale].flatten(2), clip=clip, penalty=penalty, offset=offset)
        return (forth.loss + back.loss) / 2, (forth.penalty + back.penalty) / 2

    whole_1, whole_2 = one_1.squeeze(2), one_2.squeeze(2)
    place_1, place_2 = _at(middle_1, positions_1), _at(middle_2, positions_2)
    one_to_five, penalty_5 = both(whole_1, whole_2, 1)
    one_to_seven, penalty_7 = both(whole_1, whole_2, 2)
    five_to_five, penalty_55 = both(place_1, place_2, 1)
    total_penalty = penalty_5 + penalty_7 + penalty_55
    total = one_to_five + one_to_seven + five_to_five + total_penalty
    return Amdim(total, one_to_five, one_to_seven, five_to_five, total_penalty)


def _at(features: Tensor, positions: Tensor) -> Tensor:
    """(N, C): features (N, C, P) at one position an image."""
    return features[torch.arange(len(features), device=features.device), :, positions]
