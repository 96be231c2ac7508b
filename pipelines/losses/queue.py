"""The queue of keys: a ring buffer overwritten in place (MoCo, He et al. 2020, arXiv:1911.05722, algorithm 1).

Differs from the released code: keys are rows (K, D), not columns, and a batch that does not divide K wraps around
instead of being refused.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def initial_queue(size: int, dim: int, generator: torch.Generator) -> Tensor:
    """(size, dim) Gaussian directions of length 1."""
    return F.normalize(torch.randn(size, dim, generator=generator, device=generator.device), dim=1)


@torch.no_grad()
def enqueue(queue: Tensor, pointer: Tensor, keys: Tensor) -> None:
    """In place: write keys (N, D) to rows pointer .. pointer + N - 1 modulo K, then move the pointer behind them.

    queue (K, D), N <= K; pointer 0-d int64 in 0 .. K - 1, on the queue's device: nothing waits for the host. Where
    scores were written out by plain matrix products, the backward pass needs the queue as it was: enqueue after it.
    """
    size = len(queue)
    assert len(keys) <= size, f"{len(keys)} keys do not fit into a queue of {size}"
    rows = (pointer + torch.arange(len(keys), device=queue.device)) % size
    queue.index_copy_(0, rows, keys.detach().to(queue.dtype))
    pointer.copy_((pointer + len(keys)) % size)
