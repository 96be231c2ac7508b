"""Who is whose partner in a batch of two views, on one process or on several."""

import torch
from torch import Tensor


def pair_scores(
    first: Tensor, second: Tensor, candidates: tuple[Tensor, Tensor] | None = None, offset: int = 0
) -> tuple[Tensor, Tensor]:
    """Dot products of each anchor with its partner, (2N,), and with all others, (2N, 2M - 2); with gradient to all rows.

    first, second (N, D): row i of both is image i; anchors [first ; second]. candidates: both views (M, D) of all
    processes' images, of which this process's start at row ``offset``; none: the anchors themselves (M = N). Detach those
    that shall not learn as candidates.
    """
    candidates = candidates or (first, second)
    similarity = torch.cat([first, second]) @ torch.cat(candidates).T
    own, partner = own_and_partner(len(first), len(candidates[0]), offset, first.device)
    positive = similarity.gather(1, partner.unsqueeze(1)).squeeze(1)
    return positive, similarity.gather(1, others(own, partner, similarity.shape[1]))


def own_and_partner(count: int, total: int, offset: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Columns of each anchor itself and of its partner among all candidates.

    Anchors are [first views ; second views] of this process's ``count`` images, candidates [first ; second] of all
    ``total`` images, of which this process's start at ``offset``. Both results (2 count,) int64 in 0 .. 2 total - 1.
    """
    assert offset in range(total - count + 1), f"{count} images at {offset} do not fit into {total}"
    first = torch.arange(offset, offset + count, device=device)
    second = first + total
    return torch.cat([first, second]), torch.cat([second, first])


def but_own(own: Tensor, columns: int) -> Tensor:
    """(N, columns - 1) int64: every column but the anchor's own, ascending; own (N,)."""
    column = torch.arange(columns - 1, device=own.device).unsqueeze(0)
    return column + (column >= own.unsqueeze(1)).long()


def others(own: Tensor, partner: Tensor, columns: int) -> Tensor:
    """(2 count, columns - 2) int64: every column but the anchor's own and its partner's, ascending.

    Made by arithmetic, not by a mask: a mask's result has a size the host would have to wait for.
    """
    low, high = torch.minimum(own, partner).unsqueeze(1), torch.maximum(own, partner).unsqueeze(1)
    column = torch.arange(columns - 2, device=own.device).unsqueeze(0)
    return column + (column >= low).long() + (column >= high - 1).long()
