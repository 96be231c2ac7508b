"""The passes of a method's encoders, noted while it steps and made once more; and the batch that it steps on."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.encoders.base import Encoder


class SameImages:
    """The same batch over and over, images (N, C, H, W) uint8, on their device."""

    steps_per_epoch = 1000
    reading = "resident"

    def __init__(self, images: Tensor) -> None:
        index = torch.arange(len(images), device=images.device)
        self.batch = Batch(images=images, index=index, label=torch.zeros_like(index))

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """One epoch of it."""
        for _ in range(first_step, self.steps_per_epoch):
            yield self.batch


class Passes:
    """Those of all encoders of ``method``, moving averages without a backward pass among them; nothing is around them then.

    dtype: in which the method's steps compute.
    """

    def __init__(self, method: nn.Module, dtype: torch.dtype) -> None:
        self.dtype, self.calls, self.inside, self.noting = dtype, [], False, False
        self.device = next(method.parameters()).device
        self.encoders = [module for module in method.modules() if isinstance(module, Encoder)]
        for encoder in self.encoders:
            for name in ("forward", "tokens"):
                if hasattr(encoder, name):
                    setattr(encoder, name, self._noted(getattr(encoder, name)))

    def _noted(self, pass_: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def outermost(*arguments: Any) -> Tensor:
            if self.inside or not self.noting:
                return pass_(*arguments)
            self.calls.append((pass_, arguments, torch.is_grad_enabled()))
            self.inside = True
            try:
                return pass_(*arguments)
            finally:
                self.inside = False

        return outermost

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note the passes that are made meanwhile."""
        self.calls, self.noting = [], True
        yield
        self.noting = False

    def again(self) -> None:
        """All of them, each with its backward pass where it had one; gradients are thrown away before."""
        for encoder in self.encoders:
            encoder.zero_grad(set_to_none=True)
        for pass_, arguments, learns in self.calls:
            low = torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
            with torch.set_grad_enabled(learns), low:
                found = pass_(*arguments)
            if learns:
                found.float().sum().backward()
