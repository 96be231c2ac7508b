"""NT-Xent: each of 2N views finds its partner among the 2N - 1 others (Chen et al. 2020, arXiv:2002.05709, eq. 1).

Differs from the released code: there the loss is the sum of the means over first and over second views, twice the
paper's mean over all 2N anchors. ``code_scale=True`` gives that form. Scores are used as they come, cosines in SimCLR.
"""

from torch import Tensor

from pipelines.losses.info_nce import Contrast, info_nce_from_scores


def nt_xent(positive: Tensor, negative: Tensor, temperature: float | Tensor, *, code_scale: bool = False) -> Contrast:
    """NT-Xent of the scores that ``pair_scores`` gives, nats: positive (2N,), negative (2N, K), with gradient.

    The scores may be transformed in between. On several processes, with candidates gathered with gradient, the mean over
    processes of loss and gradient equals the loss of the joined batch.
    """
    loss = info_nce_from_scores(positive, negative, temperature)
    return Contrast.of(2 * loss if code_scale else loss, positive, negative)
