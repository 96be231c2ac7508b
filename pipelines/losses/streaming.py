"""logsumexp over the scores of a long queue, a piece of the queue at a time.

The usual way writes the (N, K) scores, scales them, exponentiates them and reads them again in the backward pass: at
N = 256 and K = 65,536 that is several passes over 64 MiB and most of the loss's time on a CPU. Here each piece of the
scores stays in the cache, with the running maximum and sum of an online softmax (Milakov and Gimelshein 2018,
arXiv:1805.02867), and the gradient of the anchors is summed up on the way. The result is the same up to rounding.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Scores held at once: 1 MiB of float32 fits into a CPU core's second-level cache; a GPU wants few and large kernels.
SCORES_AT_ONCE = {"cpu": 2**18, "cuda": 2**25}


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, q: Tensor, rows: Tensor, temperature: float, keep: bool, at_once: int
    ) -> tuple[Tensor, Tensor]:
        kept = q.new_empty(len(q), len(rows) if keep else 0)
        highest, total = q.new_full((len(q), 1), -torch.inf), q.new_zeros(len(q), 1)
        pull = torch.zeros_like(q)  # sum of exp(score - highest) * row
        for start in range(0, len(rows), at_once):
            piece = rows[start : start + at_once].to(q.dtype)
            score = q @ piece.T
            if keep:
                kept[:, start : start + at_once] = score
            score.div_(temperature)
            raised = torch.maximum(highest, score.amax(dim=1, keepdim=True))
            shrink = torch.exp(highest - raised)
            score.sub_(raised).exp_()
            total.mul_(shrink).add_(score.sum(dim=1, keepdim=True))
            if ctx.needs_input_grad[0]:
                pull.mul_(shrink).addmm_(score, piece)
            highest = raised
        ctx.save_for_backward(pull.div_(total * temperature))
        ctx.mark_non_differentiable(kept)
        return (highest + total.log()).squeeze(1), kept

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor, _: Tensor) -> tuple[Tensor, None, None, None, None]:  # type: ignore[override]
        (pull,) = ctx.saved_tensors
        return upstream.unsqueeze(1) * pull, None, None, None, None


def logsumexp_scores(
    q: Tensor, rows: Tensor, temperature: float, *, keep_scores: bool = True, rows_at_once: int | None = None
) -> tuple[Tensor, Tensor]:
    """log of the sum over rows of exp(q . row / temperature), (N,), and the scores q . row, (N, K), without gradient.

    q (N, D), float32 or float64; rows (K, D), K > 0, without gradient, taken in q's precision, also under autocast.
    The gradient reaches q only and is computed here already: ``rows`` may be overwritten before the backward pass.
    keep_scores=False saves writing the scores and returns (N, 0) instead.
    """
    assert not rows.requires_grad, "the rows get no gradient here"
    if rows_at_once is None:
        rows_at_once = max(1, SCORES_AT_ONCE.get(q.device.type, 2**25) // len(q))
    with torch.autocast(q.device.type, enabled=False):
        return _LogSumExp.apply(q, rows, temperature, keep_scores, rows_at_once)
