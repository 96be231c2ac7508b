"""Who is whose partner in a batch of two views, on one process or on several."""

import torch
from torch import Tensor


def own_and_partner(count: int, total: int, offset: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Columns of each anchor itself and of its partner among all candidates.

    Anchors are [first views ; second views] of this process's ``count`` images, candidates [first ; second] of all
    ``total`` images, of which this process's start at ``offset``. Both results (2 count,) int64 in 0 .. 2 total - 1.
    """
    assert offset in range(total - count + 1), f"{count} images at {offset} do not fit into {total}"
    first = torch.arange(offset, offset + count, device=device)
    second = first + total
    return torch.cat([first, second]), torch.cat([second, first])


def others(own: Tensor, partner: Tensor, columns: int) -> Tensor:
    """(2 count, columns - 2) int64: every column but the anchor's own and its partner's, ascending.

    Made by arithmetic, not by a mask: a mask's result has a size the host would have to wait for.
    """
    low, high = torch.minimum(own, partner).unsqueeze(1), torch.maximum(own, partner).unsqueeze(1)
    column = torch.arange(columns - 2, device=own.device).unsqueeze(0)
    return column + (column >= low).long() + (column >= high - 1).long()
