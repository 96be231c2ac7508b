"""LARS: momentum SGD with one rate a layer, set by its weight norm over its gradient norm (You et al. 2017,
arXiv:1708.03888, alg. 1), in the form of BYOL, MoCo v3 and MAE: the ratio is taken of the gradient with weight decay.

The released code of SimCLR multiplies by the learning rate before the momentum buffer: ``lr_in_buffer``.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from pipelines.training.layerwise import LayerwiseOptimizer, Tensors, norms


class LARS(LayerwiseOptimizer):
    """g <- g + weight_decay w;  g <- g trust ||w|| / ||g||;  v <- momentum v + g;  w <- w - lr v.

    ``adapt`` False turns the second part off for norms and biases, which take no part in it; such a group usually has
    weight_decay 0 as well. Where a norm is 0 the factor is 1.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
        lr_in_buffer: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, momentum=momentum, weight_decay=weight_decay, trust=trust, lr_in_buffer=lr_in_buffer
        )

    def factors(self, weights: Tensors, gradients: Tensors, decayed: Tensors, group: dict[str, Any]) -> Tensor:
        """See the class."""
        return trust_ratio(norms(weights), norms(decayed), group["trust"])


def trust_ratio(w_norm: Tensor, g_norm: Tensor, trust: float) -> Tensor:
    """trust ||w|| / ||g|| of each layer, 1 where either norm is 0; all (P,)."""
    return torch.where((w_norm > 0) & (g_norm > 0), trust * w_norm / g_norm, 1.0)
