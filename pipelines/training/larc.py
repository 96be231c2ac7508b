"""LARC: LARS with a rate from ||g|| + weight_decay ||w|| and an optional upper limit, around momentum SGD.

In the form of NVIDIA's apex, as SwAV uses it (Caron et al. 2020, arXiv:2006.09882, appendix A). With ``clip`` it is
what peers' CIFAR recipes call LARS with clipping.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from pipelines.training.lars import LayerwiseOptimizer


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
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "clip": clip,
            "adapt": True,
        }
        super().__init__(params, defaults)

    def update(self, w: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """See the class."""
        gradient = adapted(w, gradient, group) if group["adapt"] else gradient.add(w, alpha=group["weight_decay"])
        v = self.momentum_buffer(w)
        v.mul_(group["momentum"]).add_(gradient)
        w.sub_(v, alpha=group["lr"])


def adapted(w: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
    """The gradient with decay times the local rate, as it is where a norm is 0. Never asks the device for a value."""
    w_norm, g_norm = torch.linalg.vector_norm(w), torch.linalg.vector_norm(gradient)
    rate = group["trust"] * w_norm / (g_norm + group["weight_decay"] * w_norm + 1e-8)
    if group["clip"]:
        rate = (rate / group["lr"]).clamp(
            max=1.0
        )  # a first step of warm-up has lr 0: the ratio is infinite, the rate 1
    usual = (w_norm > 0) & (g_norm > 0)
    decay = usual.to(w.dtype) * group["weight_decay"]
    return (decay * w).add_(gradient).mul_(torch.where(usual, rate, 1.0))
