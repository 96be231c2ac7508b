"""InfoNCE: tell one positive from K negatives by a softmax over cosines (van den Oord et al. 2018, arXiv:1807.03748).

MoCo's form (He et al. 2020, arXiv:1911.05722, eq. 1) with negatives from a queue; PIRL's and CMC's softmax forms with
negatives from a bank. Rows are used as they come: nothing here normalises, because feature transformation feeds vectors
that have to keep their length.

The loss is written as softplus(logsumexp(negatives) - positive), which equals cross entropy with the positive in column
0 and needs no copy of the (N, 1 + K) scores.
"""

from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.losses.streaming import logsumexp_scores


class Contrast(NamedTuple):
    """A loss and, for monitors alone, the scores it was made of; made by ``of``, which detaches them.

    loss      0-d, nats, mean over the N anchors
    positive  (N,) score of each anchor with its positive, before the temperature, detached
    negative  (N, K) scores with its negatives, before the temperature, detached
    before    both as they were before feature transformation; None without it, or where no monitor looks
    """

    loss: Tensor
    positive: Tensor
    negative: Tensor
    before: tuple[Tensor, Tensor] | None = None

    @classmethod
    def of(cls, loss: Tensor, positive: Tensor, negative: Tensor, before: tuple[Tensor, Tensor] | None = None) -> Self:
        """``loss`` as it is, with the scores cut from the graph: a loss made of them would learn nothing, silently."""
        kept = (before[0].detach(), before[1].detach()) if before else None
        return cls(loss, positive.detach(), negative.detach(), kept)

    @property
    def watched(self) -> dict[str, Tensor]:
        """The scores by the names that monitors know."""
        found = {"positive_scores": self.positive, "negative_scores": self.negative}
        if self.before:
            found |= {"untransformed_positive_scores": self.before[0], "untransformed_negative_scores": self.before[1]}
        return found


def scores(q: Tensor, k: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
    """Dot products of every anchor with its positive and with its negatives; cosines when the rows have length 1.

    q, k (N, D); negatives (K, D), the same for all anchors, or (N, K, D), own ones for each.
    Returns positive (N,) and negative (N, K).
    """
    positive = (q * k).sum(dim=1)
    if negatives.ndim == 2:
        return positive, q @ negatives.T
    return positive, torch.bmm(negatives, q.unsqueeze(2)).squeeze(2)


def logits(positive: Tensor, negative: Tensor, temperature: float | Tensor) -> Tensor:
    """(N, 1 + K): scores over the temperature, the positive in column 0."""
    return torch.cat([positive.unsqueeze(1), negative], dim=1) / temperature


def info_nce_from_scores(positive: Tensor, negative: Tensor, temperature: float | Tensor) -> Tensor:
    """InfoNCE of given scores, mean over anchors, nats: positive (N,), negative (N, K), temperature > 0."""
    return F.softplus(torch.logsumexp(negative / temperature, dim=1) - positive / temperature).mean()


def info_nce(
    q: Tensor, k: Tensor, negatives: Tensor, temperature: float | Tensor, *, keep_scores: bool = True
) -> Contrast:
    """InfoNCE in one direction: anchors q against positives k and negatives, in float32 at least.

    q, k (N, D); negatives (K, D) or (N, K, D); temperature > 0. Detach what shall get no gradient: MoCo's k.
    Shared negatives without gradient (a queue) are streamed: much faster, and the queue may be overwritten before the
    backward pass. keep_scores=False saves a little more where no monitor looks: negative is then (N, 0).
    """
    if q.dtype in (torch.float16, torch.bfloat16):
        q, k = q.float(), k.float()
    learned = isinstance(temperature, Tensor) and temperature.requires_grad
    if negatives.ndim == 2 and not negatives.requires_grad and not learned:
        positive = (q * k).sum(dim=1)
        log_sum, negative = logsumexp_scores(q, negatives, float(temperature), keep_scores=keep_scores)
        loss = F.softplus(log_sum - positive / temperature).mean()
        return Contrast.of(loss, positive, negative)
    positive, negative = scores(q, k, negatives.to(q.dtype))
    loss = info_nce_from_scores(positive, negative, temperature)
    return Contrast.of(loss, positive, negative)
