"""Momentum SGD with one factor a layer on its gradient: the step that LARS and LARC have in common.

A step works on a whole group of parameters at once (torch._foreach_*), so that a GPU gets a few launches a group, and one
a parameter for the factors alone, in place of a dozen a parameter. It takes memory for a copy of the group's gradients.
Nothing asks the device for a value.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

Tensors = list[Tensor]


class LayerwiseOptimizer(Optimizer):
    """g <- factor (g + weight_decay w);  v <- momentum v + g;  w <- w - lr v.

    A group's ``adapt`` (default True) False leaves the factor out. With its ``lr_in_buffer`` (default False):
    v <- momentum v + lr g;  w <- w - v. The same as long as lr is constant; larger steps while it falls.
    """

    def __init__(self, params: Iterable[Any], **defaults: Any) -> None:
        super().__init__(params, {"lr_in_buffer": False, "adapt": True, **defaults})

    @abstractmethod
    def factors(self, weights: Tensors, gradients: Tensors, decayed: Tensors, group: dict[str, Any]) -> Tensor:
        """(P,): one factor a layer, from its weight, its gradient, and its gradient with weight decay."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One update of every parameter that has a gradient; gives what ``closure`` gives."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            if weights:
                self._update(weights, [w.grad for w in weights], group)
        return loss

    def _update(self, weights: Tensors, gradients: Tensors, group: dict[str, Any]) -> None:
        velocities = [self._velocity(w) for w in weights]
        decayed = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        inside, outside = (group["lr"], 1.0) if group["lr_in_buffer"] else (1.0, group["lr"])
        torch._foreach_mul_(velocities, group["momentum"])
        if group["adapt"]:
            factors = self.factors(weights, gradients, decayed, group)
            torch._foreach_addcmul_(velocities, decayed, factors.unbind(), value=inside)
        else:
            torch._foreach_add_(velocities, decayed, alpha=inside)
        torch._foreach_sub_(weights, velocities, alpha=outside)

    def _velocity(self, w: Tensor) -> Tensor:
        """The parameter's momentum buffer, zero at first; part of the state that is saved."""
        state = self.state[w]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(w)
        return state["momentum_buffer"]


def norms(tensors: Tensors) -> Tensor:
    """(P,): the Euclidean norm of each tensor."""
    return torch.stack(torch._foreach_norm(tensors))
