"""Random numbers for views, drawn on the host.

The host picks sub-batches (which images are blurred, say) from them, so a device that is still busy with the last step
is never waited for. It also makes the draws the same on every kind of device that is given the same host seed.
"""

from typing import Any

import torch
from torch import Tensor


def uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Float32 numbers, uniform in [low, high)."""
    return torch.rand(shape, generator=generator).mul_(high - low).add_(low)


def happens(probability: float, num: int, generator: torch.Generator) -> Tensor:
    """(num,) bool, each true with ``probability``."""
    return torch.rand(num, generator=generator) < probability


def rows_of(mask: Tensor, device: torch.device) -> Tensor:
    """The positions (K,) int64 on ``device`` where a host mask (M,) is true."""
    return mask.nonzero().squeeze(1).to(device, non_blocking=True)


def take(draw: Any, rows: slice) -> Any:
    """A (nested) named tuple of draws, each tensor cut to ``rows`` of its first dimension."""
    if isinstance(draw, Tensor):
        return draw[rows]
    return type(draw)(*(take(part, rows) for part in draw))
