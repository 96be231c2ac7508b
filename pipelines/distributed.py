"""Rank, world size and collectives that are the identity in one process."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def active() -> bool:
    """Whether a process group is up."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """This process's number, 0 without a process group."""
    return dist.get_rank() if active() else 0


def world_size() -> int:
    """How many processes train together, 1 without a process group."""
    return dist.get_world_size() if active() else 1


def gather(rows: Tensor) -> Tensor:
    """(N, ...) on each process -> (world N, ...) on all, rank 0's rows first, without gradient."""
    if world_size() == 1:
        return rows.detach()
    parts = [torch.empty_like(rows) for _ in range(world_size())]
    dist.all_gather(parts, rows.detach().contiguous())
    return torch.cat(parts)


class _GatherWithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        return gather(rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(world_size())[rank()]


def gather_with_gradient(rows: Tensor) -> Tensor:
    """Like ``gather``, but the gradient of every process's loss flows back into this process's rows (their sum)."""
    if world_size() == 1:
        return rows
    gathered: Tensor = _GatherWithGradient.apply(rows)
    return gathered


def mean(value: Tensor) -> Tensor:
    """The mean of ``value`` over processes, without gradient."""
    if world_size() == 1:
        return value.detach()
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def own_share(parameter: Tensor) -> Tensor:
    """What this process has of a tensor: all of it, or its share in the same memory, where it is sharded (a DTensor).

    Asked by the attribute: to import the class takes a second of every job, and few shard anything.
    """
    share: Tensor = getattr(parameter, "_local_tensor", parameter)
    return share
