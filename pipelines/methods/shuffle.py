"""Shuffled batch normalisation: a query and its key must not share their batch statistics (MoCo, section 3.3)."""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor

from pipelines import distributed


def shuffled(
    encode: Callable[[Tensor], Tensor], images: Tensor, generator: torch.Generator, joint: torch.Generator
) -> Tensor:
    """``encode`` applied to the images in another order, over all processes; results in the given order.

    images (N, ...) on each process, result (N, D). Each process gets the images that it encodes, and no others, in the type
    in which it computes. joint: the same in every process, so that nobody has to be told the order. In one process it
    changes something only when the encoder normalises in groups (SplitBatchNorm): else all images share their statistics
    in any order.
    """
    count, world, rank = len(images), distributed.world_size(), distributed.rank()
    if world == 1:
        order = torch.randperm(count, generator=generator, device=images.device)
        return encode(images[order])[order.argsort()]
    # the host draws it again from the same seed: how many rows go where has to be known there, without asking the device
    on_host = torch.Generator().manual_seed(joint.initial_seed())
    order = torch.randperm(count * world, generator=on_host)
    encoded = distributed.gather(encode(exchanged(images.to(computed_in(images)), order)))
    mine = order.argsort()[rank * count : (rank + 1) * count]
    return encoded[mine.to(encoded.device, non_blocking=True)]


def exchanged(rows: Tensor, order: Tensor) -> Tensor:
    """(N, ...): of the rows of all processes, rank 0's first, those at this process's share of ``order``, in that order.

    rows (N, ...) on each process; order (world N,) a permutation on the host, the same in every process.
    """
    count, rank = len(rows), distributed.rank()
    wanted = order.view(-1, count)  # (world, N): the rows that each process wants
    owner = wanted // count
    sent = [wanted[other][owner[other] == rank] - rank * count for other in range(len(wanted))]
    counts = torch.bincount(owner[rank], minlength=len(wanted)).tolist()
    outgoing = rows.index_select(0, torch.cat(sent).to(rows.device, non_blocking=True)).contiguous()
    incoming = torch.empty_like(outgoing)
    dist.all_to_all_single(incoming, outgoing, counts, [len(part) for part in sent])
    place = owner[rank].argsort(stable=True).argsort()  # they came by owner
    return incoming.index_select(0, place.to(rows.device, non_blocking=True))


def computed_in(images: Tensor) -> torch.dtype:
    """The type into which the first layer would turn the images."""
    kind = images.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else images.dtype
