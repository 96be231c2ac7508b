"""Gradients of several processes as one, and what rides on their message."""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pipelines import distributed


def average_gradients(module: nn.Module, vote: Callable[[], bool]) -> Tensor | None:
    """Mean of every gradient over processes, in one flat message; the share (1,) of them that voted, in the same one.

    One process averages nothing and is not asked.
    """
    if distributed.world_size() == 1:
        return None
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    voted = torch.full((1,), float(vote()), device=gradients[0].device)
    flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), voted])
    dist.all_reduce(flat)
    flat /= distributed.world_size()
    *parts, share = flat.split([*(gradient.numel() for gradient in gradients), 1])
    for gradient, part in zip(gradients, parts):
        gradient.copy_(part.view_as(gradient))
    return share


class Votes:
    """The votes of the steps, read without making the host wait for the device.

    On a GPU a step's votes are read one step later, when they have long arrived; every process reads those of the same
    step, so all come to the same end.
    """

    def __init__(self) -> None:
        self.carried = False
        self._coming: tuple[Tensor, torch.cuda.Event] | None = None

    def cast(self, share: Tensor) -> None:
        """Take a step's ``share``, and learn of a vote: of this step, on a GPU of the one before."""
        if share.device.type != "cuda":
            self.carried = bool(share > 0)
            return
        before, here, arrived = self._coming, share.to("cpu", non_blocking=True), torch.cuda.Event()
        arrived.record()
        self._coming = here, arrived
        if before:
            before[1].synchronize()
            self.carried = bool(before[0] > 0)
