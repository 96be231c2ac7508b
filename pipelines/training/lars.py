"""LARS: momentum SGD with one rate a layer, set by its weight norm over its gradient norm (You et al. 2017,
arXiv:1708.03888, alg. 1), in the form of BYOL, MoCo v3 and MAE: the ratio is taken of the gradient with weight decay.

The released code of SimCLR multiplies by the learning rate before the momentum buffer: ``lr_in_buffer``.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class LayerwiseOptimizer(Optimizer):
    """An optimizer that updates each parameter by itself: what LARS and LARC have in common."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One update of every parameter that has a gradient; gives what ``closure`` gives."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    self.update(w, w.grad, group)
        return loss

    @abstractmethod
    def update(self, w: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """Change ``w`` in place; ``gradient`` stays as it is."""

    def momentum_buffer(self, w: Tensor) -> Tensor:
        """The parameter's velocity, zero at first; part of the state that is saved."""
        if "momentum_buffer" not in self.state[w]:
            self.state[w]["momentum_buffer"] = torch.zeros_like(w)
        return self.state[w]["momentum_buffer"]


class LARS(LayerwiseOptimizer):
    """g <- g + weight_decay w;  g <- g trust ||w|| / ||g||;  v <- momentum v + g;  w <- w - lr v.

    A group's ``adapt`` (default True) turns the second part off for norms and biases, which take no part in it; such a
    group usually has weight_decay 0 as well. Where a norm is 0 the factor is 1.
    lr_in_buffer: v <- momentum v + lr g;  w <- w - v. The same as long as lr is constant; larger steps while it falls.
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
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "lr_in_buffer": lr_in_buffer,
            "adapt": True,
        }
        super().__init__(params, defaults)

    def update(self, w: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """See the class."""
        gradient = gradient.add(w, alpha=group["weight_decay"])
        if group["adapt"]:
            gradient.mul_(trust_ratio(w, gradient, group["trust"]))
        v = self.momentum_buffer(w)
        inside, outside = (group["lr"], 1.0) if group["lr_in_buffer"] else (1.0, group["lr"])
        v.mul_(group["momentum"]).add_(gradient, alpha=inside)
        w.sub_(v, alpha=outside)


def trust_ratio(w: Tensor, gradient: Tensor, trust: float) -> Tensor:
    """trust ||w|| / ||gradient||, 1 where either norm is 0; 0-d. Never asks the device for a value."""
    w_norm, g_norm = torch.linalg.vector_norm(w), torch.linalg.vector_norm(gradient)
    return torch.where((w_norm > 0) & (g_norm > 0), trust * w_norm / g_norm, 1.0)
