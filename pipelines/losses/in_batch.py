"""MoCo v3: the keys of the batch are the negatives, there is no queue (Chen et al. 2021, arXiv:2104.02057, alg. 1)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def in_batch_contrast(queries: Tensor, keys: Tensor, temperature: float, first: int = 0) -> Tensor:
    """2T x the cross entropy of each query finding its key among all keys: 0-d, mean over the queries, nats.

    queries (N, D) and keys (M, D), any norm; key ``first + i`` is the positive of query i. With several processes
    ``keys`` are the gathered keys (constants) and ``first`` is rank x N. Keys get no gradient.
    The factor 2T keeps the gradient's size independent of the temperature T.
    """
    logits = F.normalize(queries, dim=1) @ F.normalize(keys.detach(), dim=1).T / temperature
    positives = torch.arange(first, first + len(queries), device=queries.device)
    return 2 * temperature * F.cross_entropy(logits, positives)


def mocov3_loss(q1: Tensor, q2: Tensor, k1: Tensor, k2: Tensor, temperature: float, first: int = 0) -> Tensor:
    """The symmetric loss: queries (N, D) of each view against keys (M, D) of the other; their sum, not their mean."""
    return in_batch_contrast(q1, k2, temperature, first) + in_batch_contrast(q2, k1, temperature, first)
