"""Memory bank: one slot a sample, read as candidates and slowly overwritten (InstDisc, arXiv:1805.01978; CMC; PIRL)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def initial_bank(num_samples: int, dim: int, generator: torch.Generator) -> Tensor:
    """(num_samples, dim) uniform in +-1/sqrt(dim/3), as released: squared length 1 on average, not normalised."""
    bound = 1 / math.sqrt(dim / 3)
    uniform = torch.rand(num_samples, dim, generator=generator, device=generator.device)
    return uniform.mul_(2 * bound).sub_(bound)


def draw_candidates(index: Tensor, num_samples: int, num_negatives: int, generator: torch.Generator) -> Tensor:
    """(N, 1 + num_negatives) int64 slots: column 0 the sample's own, the others uniform over all slots.

    index (N,) int64. As released, draws may repeat and may hit the sample's own slot.
    """
    shape = (len(index), 1 + num_negatives)
    slots = torch.randint(num_samples, shape, generator=generator, device=generator.device).to(index.device)
    slots[:, 0] = index
    return slots


def bank_scores(features: Tensor, bank: Tensor, slots: Tensor) -> Tensor:
    """(N, C) dot products of each feature with its candidates' slots; no gradient into the bank.

    features (N, D), bank (n, D), slots (N, C) int64. Where the bank is small against C, multiplying with all of it and
    picking is faster and takes less memory than copying N * C rows; the result is the same.
    """
    bank = bank.detach()
    if len(bank) <= 8 * slots.shape[1]:
        return (features @ bank.T).gather(1, slots)
    return torch.bmm(bank[slots], features.unsqueeze(2)).squeeze(2)


@torch.no_grad()
def update_bank(bank: Tensor, index: Tensor, features: Tensor, momentum: float) -> None:
    """In place: slot <- l2(momentum * slot + (1 - momentum) * feature), momentum in [0, 1], 0.5 in the papers.

    bank (n, D), index (N,) int64 without repeats, features (N, D). Call it after the backward pass, or read the bank
    from a clone: the backward pass needs the slots as they were.
    """
    mixed = momentum * bank[index] + (1 - momentum) * features.detach().to(bank.dtype)
    bank.index_copy_(0, index, F.normalize(mixed, dim=1))
