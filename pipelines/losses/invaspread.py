"""InvaSpread: partners close, all others spread out (Ye et al. 2019, arXiv:1904.03436, eq. 5).

Not NT-Xent: besides log P(partner | i) every other row contributes its own log(1 - P(j | i)). As in the released code
the second factor of each dot product is detached, so that a row learns only as an anchor.

Differs from the released code: that subtracts the partner from the sum over all others, which is inf - inf once P of
the partner rounds to 1; here partner and own column are left out. log(1 - P) stays finite where P rounds to 1.
"""

import math

import torch
from torch import Tensor

from pipelines.losses.info_nce import Contrast
from pipelines.losses.pairs import pair_scores


def invaspread(
    first: Tensor,
    second: Tensor,
    temperature: float | Tensor,
    *,
    negative_weight: float = 1.0,
    detach: bool = True,
    candidates: tuple[Tensor, Tensor] | None = None,
    offset: int = 0,
) -> Contrast:
    """Loss of two views, mean over 2N anchors, nats, with the scores that entered it.

    first, second (N, D) unit rows, row i of both is image i; positive (2N,), negative (2N, 2M - 2).
    negative_weight > 0 multiplies the negatives in the denominator and their sum. ``candidates`` and ``offset`` as in
    ``pair_scores``: both views of all M images and where this process's start.
    """
    every_first, every_second = candidates or (first, second)
    if detach:
        every_first, every_second = every_first.detach(), every_second.detach()
    positive, negative = pair_scores(first, second, (every_first, every_second), offset)
    log_positive, log_negative = positive / temperature, negative / temperature
    log_sum = torch.logaddexp(
        log_positive, torch.logsumexp(log_negative, dim=1) + math.log(negative_weight)
    )  # log of the denominator, (2N,)
    spread = _log_complement(log_negative - log_sum.unsqueeze(1)).sum(dim=1)
    loss = -(log_positive - log_sum + negative_weight * spread).mean()
    return Contrast.of(loss, positive, negative)


def _log_complement(log_p: Tensor) -> Tensor:
    """log(1 - exp(log_p)); log_p stays a rounding step below 0, so that result and gradient are finite."""
    return torch.log(-torch.expm1(log_p.clamp(max=-torch.finfo(log_p.dtype).eps)))
