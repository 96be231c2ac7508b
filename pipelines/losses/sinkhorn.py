"""Sinkhorn-Knopp: soft codes that use every prototype equally (Caron et al. 2020, arXiv:2006.09882, eq. 3 to 5).

Differs from the released code: it works on logarithms, so that a small epsilon neither overflows nor underflows.
"""

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Soft codes of the rows of ``scores``, constants for the loss that uses them.

    scores (B, K) cosines with K prototypes; epsilon > 0 smooths (0.05 in the paper); iterations >= 1 (3 in the paper).
    Each iteration gives every prototype the same total and then every sample the same total. Samples come last:
    a row of the result (B, K) sums to exactly 1, a column only nearly to B / K. Computed in float32 or better.

    To balance more than one batch together (other processes, a queue), pass all the rows and keep those wanted.
    """
    assert iterations >= 1
    assert epsilon > 0
    log_codes = scores.to(torch.promote_types(scores.dtype, torch.float32)) / epsilon
    for _ in range(iterations):
        log_codes = log_codes.log_softmax(dim=0)
        log_codes = log_codes.log_softmax(dim=1)
    return log_codes.exp()
