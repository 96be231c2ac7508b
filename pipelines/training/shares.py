"""What an optimizer and a checkpoint see of parameters that are sharded over processes (``sharding``): shares, and the whole.

An optimizer works on the shares as plain tensors. That is right for one that treats every number by itself; the others are
refused at planning. A checkpoint holds whole tensors, so that any number of processes takes it up.
"""

import copy
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from pipelines import distributed
from pipelines.constants import constant
from pipelines.method import Method
from pipelines.spec.training import Training
from pipelines.training.optimizers import Group


def unsharded_copy(method: Method, training: Training) -> Method | None:
    """A copy on the host, for the weights at the end, of a method that will be sharded; none where it stays whole."""
    return copy.deepcopy(method).cpu() if training.shard_encoder and distributed.world_size() > 1 else None


class Shares:
    """The shares that this process has of the parameters of ``method``; none where nothing is sharded."""

    def __init__(self, method: nn.Module) -> None:
        self._method = method
        self._share: dict[nn.Parameter, nn.Parameter] = {}
        for whole in method.parameters():
            own = distributed.own_share(whole)
            if own is not whole:
                self._share[whole] = nn.Parameter(own.detach(), whole.requires_grad)
        self._whole = {share: whole for whole, share in self._share.items()}

    def groups(self, groups: list[Group]) -> list[Group]:
        """Groups of an optimizer with the shares in place of what is sharded."""
        return [{**group, "params": [self._share.get(each, each) for each in group["params"]]} for group in groups]

    def parameters(self) -> list[nn.Parameter]:
        """What the optimizer moves, in the method's order, with gradients once they are ``take``n."""
        return [self._share.get(parameter, parameter) for parameter in self._method.parameters()]

    def clear(self) -> None:
        """Before a backward pass: no gradient of what is sharded."""
        for parameter in (*self._share, *self._whole):
            parameter.grad = None

    def take(self) -> None:
        """After it: the shares of the gradients, as those of the shares."""
        for whole, share in self._share.items():
            share.grad = None if whole.grad is None else distributed.own_share(whole.grad)

    @torch.no_grad()
    def norms(self) -> Tensor:
        """(P,): the Euclidean norm of the gradient of each of ``parameters`` that has one; of all of it, not the share."""
        learnt = [parameter for parameter in self.parameters() if parameter.grad is not None]
        norms = torch.stack(torch._foreach_norm([parameter.grad for parameter in learnt]))  # type: ignore[misc]
        if self._share:
            cut = constant(tuple(parameter in self._whole for parameter in learnt), norms.device, torch.bool)
            squares = norms.square() * cut
            dist.all_reduce(squares)
            norms = torch.where(cut, squares.sqrt(), norms)
        return norms

    def whole_optimizer(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state of an optimizer over ``groups``, as one process would have it; all processes call it together.

        What is sharded is whole in the first process alone, on the host: who writes it needs no more.
        """
        state = optimizer.state_dict()
        kept = dict(state["state"])
        for number, share in enumerate(_members(optimizer)):
            if number in kept and share in self._whole:
                kept[number] = {name: self._joined(share, value) for name, value in kept[number].items()}
        return {**state, "state": kept}

    def load_optimizer(self, optimizer: Optimizer, state: dict[str, Any]) -> None:
        """The inverse: a ``state`` from any number of processes into this optimizer."""
        kept = dict(state["state"])
        for number, share in enumerate(_members(optimizer)):
            if number in kept and (whole := self._whole.get(share)) is not None:
                kept[number] = {
                    name: _cut(value) if isinstance(value, Tensor) and value.shape == whole.shape else value
                    for name, value in kept[number].items()
                }
        optimizer.load_state_dict({**state, "state": kept})

    def whole_method(self) -> dict[str, Tensor]:
        """The state of the method, as one process would have it; all processes call it together.

        What is sharded is whole in the first process alone, on the host.
        """
        first = distributed.rank() == 0
        return {name: _full(value, first) for name, value in self._method.state_dict().items()}

    @torch.no_grad()
    def load_method(self, state: dict[str, Tensor]) -> None:
        """The inverse, strictly: RuntimeError for names or shapes that do not fit."""
        cut = {
            name: value
            for name, value in self._method.state_dict().items()
            if distributed.own_share(value) is not value
        }
        self._method.load_state_dict({**state, **cut}, strict=True)
        for name, value in cut.items():
            distributed.own_share(value).copy_(_cut(state[name]))

    def whole_in(self, plain: Method) -> Method:
        """``plain`` with the weights of the sharded method; all processes call it together."""
        whole = {name: _full(value, wanted=True) for name, value in self._method.state_dict().items()}
        plain.load_state_dict(whole, strict=True)
        return plain

    def _joined(self, share: nn.Parameter, value: Any) -> Any:
        if not isinstance(value, Tensor) or value.ndim == 0:  # a count of steps
            return value
        whole: Any = self._whole[share]
        spread = type(whole.data)
        return _full(
            spread.from_local(value, whole.device_mesh, whole.placements, shape=whole.shape, stride=whole.stride()),
            wanted=distributed.rank() == 0,
        )


def _full(value: Tensor, wanted: bool) -> Tensor:
    """``value``, or what it is a share of, on the host and where that is ``wanted``: on a GPU only one at a time is whole."""
    if distributed.own_share(value) is value:
        return value
    sharded: Any = value
    whole: Tensor = sharded.full_tensor()
    return whole.cpu() if wanted else whole.new_empty(0)


def _cut(value: Tensor) -> Tensor:
    """This process's rows, as FSDP2 shares them out: torch.chunk's, and none where there are fewer than processes."""
    parts = value.chunk(distributed.world_size())
    return parts[distributed.rank()] if distributed.rank() < len(parts) else value[:0]


def _members(optimizer: Optimizer) -> list[nn.Parameter]:
    """Its parameters in the order in which its state is numbered."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
