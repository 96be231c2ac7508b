"""Sinkhorn-Knopp: soft codes that use every prototype equally (Caron et al. 2020, arXiv:2006.09882, eq. 3 to 5).

Differs from the released code, with equal results: each prototype's highest score is subtracted first (its balancing
undoes any shift), so nothing overflows, and iterations change one factor a row and a column instead of the matrix.
"""

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Soft codes of the rows of ``scores``, constants for the loss that uses them.

    scores (B, K) cosines with K prototypes; epsilon >= 0.003 smooths (0.05 in the paper); iterations >= 1 (3 there).
    Each iteration gives every prototype the same total and then every sample the same total. Samples come last:
    a row of the result (B, K) sums to exactly 1, a column only nearly to B / K. At least float32, autocast or not.

    To balance more than one batch together (other processes, a queue), pass all the rows and keep those wanted.
    """
    assert iterations >= 1
    assert epsilon >= 0.003
    # Cosines differ by at most 2: below this epsilon float32 cannot hold exp(2 / epsilon) times a batch.
    least = torch.float32 if 2 / epsilon <= 60 else torch.float64
    dtype = torch.promote_types(scores.dtype, torch.float32)
    with torch.autocast(scores.device.type, enabled=False):
        exact = scores.to(torch.promote_types(dtype, least))
        kernel = (exact - exact.amax(0)).div_(epsilon).exp_()
        row_factors = kernel.new_ones(len(kernel))
        for _ in range(iterations):
            column_factors = 1 / (row_factors @ kernel)
            row_factors = 1 / (kernel @ column_factors)
        return kernel.mul_(column_factors).mul_(row_factors.unsqueeze(1)).to(dtype)
