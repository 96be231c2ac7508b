"""Feature transformation: harder positives by extrapolation, more diverse negatives by interpolation.

Zhu et al. 2021, "Improving Contrastive Learning by Visualizing Feature Transformation", arXiv:2108.02982. Only the
vectors that enter the logits change; nothing is normalised again, the queue receives the original keys, and the
extrapolated query meets the negatives, all as in the released recipe.

Lambdas are arguments. Their shape is the granularity: 0-d (one for all, the released recipe), (rows, 1) one a row,
(rows, D) one a row and dimension (the paper's dimension-level mixing as released), (1, D) one a dimension for all rows.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def draw_symmetric_beta(alpha: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Beta(alpha, alpha) draws of ``shape``, float32 in [0, 1], on the generator's device; alpha > 0.

    ``torch.distributions`` takes no generator. For alpha >= 1/2 this is Ulrich's polar method, exact and two uniforms a
    draw (Ulrich 1984; Devroye 1986, "Non-Uniform Random Variate Generation", IX.3). Below, the ratio of two Gamma draws
    in logarithms, each Gamma(alpha) = Gamma(alpha + 1) U^(1/alpha), because small alphas underflow otherwise.
    """
    assert alpha > 0, f"alpha has to be positive, got {alpha}"
    uniform = torch.rand(2, *shape, generator=generator, device=generator.device)  # in [0, 1)
    if alpha < 0.5:
        larger = torch.full((2, *shape), alpha + 1.0, device=generator.device)
        log_gamma = torch._standard_gamma(larger, generator=generator).log_() + torch.log1p(-uniform) / alpha
        return torch.sigmoid(log_gamma[0] - log_gamma[1])
    exponent = 2 / (2 * alpha - 1) if alpha > 0.5 else math.inf
    radius = uniform[0].log_().mul_(exponent).expm1_().neg_().sqrt_()
    return uniform[1].mul_(2 * math.pi).cos_().mul_(radius).add_(1).mul_(0.5)


def draw_positive_lambda(alpha: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Extrapolation weights 1 + Beta(alpha, alpha) in [1, 2]; the paper's alpha is 2.0."""
    return draw_symmetric_beta(alpha, shape, generator).add_(1)


def draw_negative_lambda(alpha: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Interpolation weights Beta(alpha, alpha) in [0, 1]; the paper's alpha is 1.6."""
    return draw_symmetric_beta(alpha, shape, generator)


def extrapolate_positives(q: Tensor, k: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Push query and key apart: weight q + (1 - weight) k and weight k + (1 - weight) q, both (N, D).

    q, k (N, D); weight in [1, 2], 0-d, (N, 1), (N, D) or (1, D). For unit rows and one weight L a row the score falls
    from S to S + 2 L (1 - L)(1 - S). The gradient also flows through the q inside the new key, as released.
    """
    shift = (weight - 1) * (q - k)
    return q + shift, k - shift


def interpolate_negatives(negatives: Tensor, permutation: Tensor, weight: Tensor) -> Tensor:
    """Mix every negative with another one: weight n_j + (1 - weight) n_perm(j), a new (K, D) tensor.

    negatives (K, D); permutation (K,) int64; weight in [0, 1], 0-d, (K, 1), (K, D) or (1, D). The input is not changed.
    """
    assert weight.ndim in (0, 2), f"the weight has to be 0-d or (rows, dimensions), got {tuple(weight.shape)}"
    if weight.shape[1:] in ((), (1,)) and not (negatives.requires_grad or weight.requires_grad):
        return _interpolate_rows(negatives, permutation, weight)
    return torch.lerp(negatives.index_select(0, permutation), negatives, weight.to(negatives.dtype))


def _interpolate_rows(negatives: Tensor, permutation: Tensor, weight: Tensor) -> Tensor:
    """One weight a row, in one pass over memory instead of a gather and a mix: a weighted bag of two rows each."""
    own = torch.arange(len(negatives), device=negatives.device)
    weight = weight.to(negatives.dtype).reshape(-1).expand(len(negatives))
    return F.embedding_bag(
        torch.stack([own, permutation], dim=1),
        negatives,
        mode="sum",
        per_sample_weights=torch.stack([weight, 1 - weight], dim=1),
    )


def interpolate_scores(negative: Tensor, permutation: Tensor, weight: Tensor) -> Tensor:
    """The scores that mixed negatives would give, from those of the unmixed: weight s_j + (1 - weight) s_perm(j).

    negative (N, K) scores, permutation (K,) int64, weight 0-d or (K, 1). Exact, because a dot product is linear; not
    for weights that differ between dimensions. It pays where N is much smaller than D or where the unmixed scores are
    needed as well; else mixing the vectors touches less memory and needs no backward pass.
    """
    assert weight.ndim == 0 or weight.shape[1:] == (1,), "scores can be mixed with one weight a negative only"
    return torch.lerp(negative.index_select(1, permutation), negative, weight.to(negative.dtype).reshape(-1))
