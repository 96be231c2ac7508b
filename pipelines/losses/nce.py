"""NCE: telling each sample from noise, one binary question a candidate (InstDisc, Wu et al. 2018, arXiv:1805.01978).

Not InfoNCE: P(i|v) = exp(m_i . v / tau) / Z with a Z that is estimated once and then kept, and every one of the 1 + K
candidates is a question of its own, "data or uniform noise?". Also used by CMC (one call a direction, summed) and by
PIRL's paper form (one call a branch, weighted).

Everything is computed from log P, so that a small temperature cannot overflow; the released code exponentiates first
and gives the same numbers where it does not overflow.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def estimate_log_z(logits: Tensor, num_samples: int) -> Tensor:
    """log Z, 0-d, without gradient: Z = num_samples * mean(exp(logits)) over all candidates of a batch, positives too.

    logits (N, 1 + K): cosines over the temperature. The released code takes the first batch and keeps the value.
    """
    logits = logits.detach()
    return torch.logsumexp(logits.flatten(), dim=0) + math.log(num_samples / logits.numel())


def nce(logits: Tensor, log_z: float | Tensor, num_samples: int, *, eps: float = 1e-7) -> Tensor:
    """Binary NCE, mean over anchors, nats (eq. 7 and 8 of the paper, with the released code's eps).

    logits (N, 1 + K) cosines over the temperature, column 0 the sample's own slot, K others drawn uniformly from
    ``num_samples``. With p = exp(logits) / Z and a = K / num_samples:
    -mean[log(p_0 / (p_0 + a + eps)) + sum_k log(a / (p_k + a + eps))].
    """
    negatives = logits.shape[1] - 1
    assert negatives > 0, "NCE needs at least one drawn negative"
    noise = negatives / num_samples
    log_noise_eps = math.log(noise + eps)
    log_p = logits - log_z
    own = F.softplus(log_noise_eps - log_p[:, 0])
    drawn = F.softplus(log_p[:, 1:] - log_noise_eps).sum(dim=1) + negatives * (log_noise_eps - math.log(noise))
    return (own + drawn).mean()


def instance_softmax(logits: Tensor, index: Tensor) -> Tensor:
    """InstDisc without sampling: cross entropy over all samples' slots (eq. 2), mean over anchors, nats.

    logits (N, n) cosines with the whole bank over the temperature; index (N,) int64, each sample's own slot.
    """
    return F.cross_entropy(logits, index)


def proximal(features: Tensor, previous: Tensor) -> Tensor:
    """InstDisc's proximal term (eq. 10): mean over the batch of the squared distance to the last visit's feature.

    features, previous (N, D). The paper multiplies it by lambda = 30; the released code leaves it out.
    """
    return (features - previous.detach()).square().sum(dim=1).mean()
