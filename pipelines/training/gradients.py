"""Gradients of several processes as one."""

import torch
import torch.distributed as dist
from torch import nn

from pipelines import distributed


def average_gradients(module: nn.Module) -> None:
    """Mean of every gradient over processes, in one flat message a dtype."""
    if distributed.world_size() == 1:
        return
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    flat /= distributed.world_size()
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(part.view_as(gradient))
