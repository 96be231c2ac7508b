"""Gradients of several processes as one, and what rides on their message."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipelines import distributed


def average_gradients(module: nn.Module, riders: Tensor) -> Tensor:
    """Mean of every gradient over processes, in one flat message, and that of the ``riders`` (k,), in the same one.

    One process averages nothing.
    """
    if distributed.world_size() == 1:
        return riders
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), riders])
    dist.all_reduce(flat)
    flat /= distributed.world_size()
    *parts, shares = flat.split([*(gradient.numel() for gradient in gradients), len(riders)])
    for gradient, part in zip(gradients, parts):
        gradient.copy_(part.view_as(gradient))
    return shares


@torch.no_grad()
def gradient_norms(module: nn.Module) -> Tensor:
    """(P,): the Euclidean norm of the gradient of every parameter that has one."""
    return torch.stack(torch._foreach_norm([p.grad for p in module.parameters() if p.grad is not None]))
