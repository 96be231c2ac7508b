"""SwAV: predict a view's code from the prototype scores of another (Caron et al. 2020, arXiv:2006.09882, eq. 1, 2).

Each piece of a step is a function of its own. The order within a step is: normalise the prototypes, score the unit
embeddings, ``codes`` of the full-size crops (with the queue once it is full), ``swapped_prediction``, ``pushed``.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.losses.sinkhorn import sinkhorn


@torch.no_grad()
def normalise_rows_(prototypes: Tensor) -> Tensor:
    """Scale the rows of ``prototypes`` (K, D) to unit length, in place and outside the graph; returns them."""
    return prototypes.copy_(F.normalize(prototypes, dim=1))


def queue_is_full(queue: Tensor) -> bool:
    """Whether ``queue`` (L, D), newest first and zero where never written, has been filled once."""
    return bool(queue[-1].any())


@torch.no_grad()
def pushed(queue: Tensor, embeddings: Tensor) -> Tensor:
    """``queue`` (L, D) with ``embeddings`` (B, D), B <= L, put in front and the oldest B rows dropped; a new tensor."""
    assert len(embeddings) <= len(queue)
    return torch.cat([embeddings.to(queue.dtype), queue])[: len(queue)]


@torch.no_grad()
def codes(scores: Tensor, queue_scores: Tensor | None, epsilon: float, iterations: int) -> Tensor:
    """Codes (B, K) of a batch's ``scores`` (B, K), balanced together with ``queue_scores`` (L, K) where given."""
    if queue_scores is None:
        return sinkhorn(scores, epsilon, iterations)
    return sinkhorn(torch.cat([queue_scores, scores]), epsilon, iterations)[len(queue_scores) :]


def swapped_prediction(
    targets: Sequence[Tensor], assigned: Sequence[int], scores: Sequence[Tensor], temperature: float
) -> Tensor:
    """Mean cross entropy of every view's softmax against every other view's target, in nats.

    targets   one (B, K) distribution a view that has one, constants
    assigned  the numbers of those views
    scores    (B, K) of all V views; row b of each is image b
    The mean is over the B rows and over all pairs (assigned view i, view v != i): with two assigned views,
    1/2 sum_i 1/(V-1) sum_{v != i} H(q_i, softmax(s_v / temperature)).
    """
    assert len(targets) == len(assigned)
    total = scores[0].new_zeros(())
    for v, view in enumerate(scores):
        others = [target for i, target in zip(assigned, targets, strict=True) if i != v]
        if others:
            wanted = torch.stack(others).sum(0).detach()
            total = total - (wanted * F.log_softmax(view / temperature, dim=1)).sum(1).mean()
    num_pairs = len(assigned) * (len(scores) - 1)
    return total / num_pairs
