"""Views of several sizes through one encoder (SwAV, section 3.3; DINO)."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pipelines.errors import InputError


def encode_by_size(encode: Callable[[Tensor], Tensor], views: Sequence[Tensor]) -> Tensor:
    """(V N, D): the features of V views (N, ...) each, in their order; neighbours of one size go in one pass.

    Batch norm then sees all views of a size together, as in the released codes.
    """
    sizes = itertools.groupby(views, key=lambda view: view.shape[1:])
    return torch.cat([encode(torch.cat(list(group))) for _, group in sizes])


def at_least_two(views: Sequence[Tensor], method: str) -> None:
    """InputError when a recipe of the user's own leaves nothing to compare."""
    if len(views) < 2:
        raise InputError(
            f"views: {method} compares two full-size views, which come first, and small ones; this recipe makes "
            f"{len(views)}; set count: 2 in its first augmentation"
        )
