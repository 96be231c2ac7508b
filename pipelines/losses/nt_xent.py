"""NT-Xent: each of 2N views finds its partner among the 2N - 1 others (Chen et al. 2020, arXiv:2002.05709, eq. 1).

Differs from the released code: there the loss is the sum of the means over first and over second views, twice the
paper's mean over all 2N anchors. ``code_scale=True`` gives that form. Rows are used as they come, length 1 in SimCLR.
"""

import torch
from torch import Tensor

from pipelines.losses.info_nce import Contrast, info_nce_from_scores
from pipelines.losses.pairs import others, own_and_partner


def nt_xent(
    first: Tensor,
    second: Tensor,
    temperature: float | Tensor,
    *,
    candidates: tuple[Tensor, Tensor] | None = None,
    offset: int = 0,
    code_scale: bool = False,
) -> Contrast:
    """NT-Xent of two views, nats, with the scores that entered it.

    first, second (N, D): row i of both is image i. Positive (2N,), negative (2N, 2M - 2), anchors [first ; second].

    On several processes the anchors stay local and ``candidates`` are both views of all M images, gathered with
    gradient, this process's from row ``offset`` on; without them the batch is its own candidates (M = N). The mean over
    processes of loss and gradient then equals the loss of the joined batch.
    """
    every_first, every_second = candidates if candidates is not None else (first, second)
    similarity = torch.cat([first, second]) @ torch.cat([every_first, every_second]).T
    own, partner = own_and_partner(len(first), len(every_first), offset, first.device)
    positive = similarity.gather(1, partner.unsqueeze(1)).squeeze(1)
    negative = similarity.gather(1, others(own, partner, similarity.shape[1]))
    loss = info_nce_from_scores(positive, negative, temperature)
    return Contrast(2 * loss if code_scale else loss, positive.detach(), negative.detach())
