"""The exponential moving average that makes a target network out of an online one (MoCo, BYOL, MoCo v3, DINO)."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from pipelines import distributed
from pipelines.schedules import cosine

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def frozen_copy(online: AnyModule) -> AnyModule:
    """A copy of ``online``, weights and buffers, whose parameters take no gradient: a target network at its start."""
    return copy.deepcopy(online).requires_grad_(False)


@torch.no_grad()
def update(target: nn.Module, online: nn.Module, momentum: float) -> None:
    """target <- momentum x target + (1 - momentum) x online, for every parameter, in place.

    Both modules have the same parameters in the same order, sharded alike over processes where they are. Buffers stay:
    batch-norm statistics of a target come from its own forward passes.
    """
    followers: list[Tensor] = [distributed.own_share(parameter) for parameter in target.parameters()]
    leaders: list[Tensor] = [distributed.own_share(parameter) for parameter in online.parameters()]
    assert [p.shape for p in followers] == [p.shape for p in leaders], "target and online network differ in shape"
    if followers:  # one launch for all on a GPU; plain lerp_ one by one on a CPU
        torch._foreach_lerp_(followers, leaders, 1 - momentum)


def cosine_momentum(start: float, fraction: float) -> float:
    """A target network's momentum after ``fraction`` of training: cosine from ``start`` to 1 (BYOL, MoCo v3, DINO)."""
    return cosine(start, 1.0)(fraction)
