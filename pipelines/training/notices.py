"""What a step tells the host: whether a process was asked to end, and whether the loss and its gradient are numbers.

The host does not wait for the device to learn of it: on a GPU a step's values are read one step later, when they have long
arrived; on a CPU at once. Every process reads those of the same step, so all come to the same end.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Broken:
    """A step whose loss or gradient was not finite. index (N,): the images of this process that it was made of."""

    step: int
    gradient_norm: float
    index: Tensor


@dataclass(frozen=True)
class _Sent:
    values: Tensor
    arrived: torch.cuda.Event | None
    step: int
    index: Tensor


class Notices:
    """The notices of the steps, in their order."""

    def __init__(self) -> None:
        self.stop = False
        """Whether a process was asked to end, at the last step that was read."""
        self.due = False
        """Whether a process found a checkpoint due then; all take it together."""
        self.broken: Broken | None = None
        """The first step that gave no number."""
        self._coming: _Sent | None = None

    def put(self, values: Tensor, step: int, index: Tensor) -> None:
        """Take what ``riders`` and the gradient's norm say of a step, and read the step before, or on a CPU this one.

        values (4,), the same in every process: shares of processes asked to end, that find a checkpoint due, and whose loss is
        not finite; norm.
        """
        if values.device.type != "cuda":
            self._read(_Sent(values, None, step, index))
            return
        here, arrived = values.to("cpu", non_blocking=True), torch.cuda.Event()
        arrived.record()
        before, self._coming = self._coming, _Sent(here, arrived, step, index)
        if before:
            self._read(before)

    def settle(self) -> None:
        """Read the last step too, and wait for it: before its weights are written or measured."""
        last, self._coming = self._coming, None
        if last:
            self._read(last)

    def _read(self, sent: _Sent) -> None:
        if sent.arrived:
            sent.arrived.synchronize()
        asked, due, lost, norm = sent.values.tolist()
        self.stop, self.due = asked > 0, due > 0
        if self.broken is None and (lost > 0 or not math.isfinite(norm)):
            self.broken = Broken(sent.step, norm, sent.index)


def riders(stop: bool, due: bool, loss: Tensor) -> Tensor:
    """(3,) float32 on the loss's device: 1 where this process was asked to end, finds a checkpoint due, has no finite loss."""
    asked = [torch.full((1,), float(answer), device=loss.device) for answer in (stop, due)]
    return torch.cat([*asked, (~loss.detach().isfinite()).float().reshape(1)])
