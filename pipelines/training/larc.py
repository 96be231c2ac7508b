"""LARC: LARS with a rate from ||g|| + weight_decay ||w|| and an optional upper limit, around momentum SGD.

In the form of NVIDIA's apex, as SwAV uses it (Caron et al. 2020, arXiv:2006.09882, appendix A). With ``clip`` it is
what peers' CIFAR recipes call LARS with clipping.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from pipelines.training.layerwise import LayerwiseOptimizer, Tensors, norms


class LARC(LayerwiseOptimizer):
    """a = trust ||w|| / (||g|| + weight_decay ||w|| + 1e-8);  g <- (g + weight_decay w) a;  then momentum SGD with lr.

    clip: a <- min(a / lr, 1), so that the rate a layer really gets is at most lr.
    Where either norm is 0 the gradient stays as it is, without decay. A group with ``adapt`` False (norms and biases,
    when they are excluded) gets plain momentum SGD with the group's own weight decay.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 0.001,
        clip: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay, trust=trust, clip=clip)

    def factors(self, weights: Tensors, gradients: Tensors, decayed: Tensors, group: dict[str, Any]) -> Tensor:
        """See the class."""
        w_norm, g_norm = norms(weights), norms(gradients)
        rate = group["trust"] * w_norm / (g_norm + group["weight_decay"] * w_norm + 1e-8)
        if group["clip"]:
            rate = (rate / group["lr"]).clamp(max=1.0)  # lr 0, warm-up's first step: the ratio is infinite, the rate 1
        # the gradient as it is: of a zero weight nothing decays; of a zero gradient the decay alone is left, taken away
        return torch.where(g_norm == 0, 0.0, torch.where(w_norm == 0, 1.0, rate))
