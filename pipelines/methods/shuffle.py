"""Shuffled batch normalisation: a query and its key must not share their batch statistics (MoCo, section 3.3)."""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor

from pipelines import distributed


def shuffled(encode: Callable[[Tensor], Tensor], images: Tensor, generator: torch.Generator) -> Tensor:
    """``encode`` applied to the images in another order, over all processes; results in the given order.

    images (N, ...) on each process, result (N, D). Rank 0 draws the permutation. In one process it changes something
    only when the encoder normalises in groups (SplitBatchNorm): else all images share their statistics in any order.
    """
    count, world = len(images), distributed.world_size()
    order = torch.randperm(count * world, generator=generator, device=images.device)
    if world > 1:
        dist.broadcast(order, src=0)
    mine = slice(distributed.rank() * count, (distributed.rank() + 1) * count)
    everyone = distributed.gather(images) if world > 1 else images
    encoded = distributed.gather(encode(everyone[order[mine]]))
    return encoded[order.argsort()[mine]]
