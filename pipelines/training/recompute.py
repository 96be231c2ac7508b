"""Activation checkpointing (Chen et al. 2016, arXiv:1604.06174): blocks keep their input alone and run again when needed.

A block is one of a residual network or of a transformer, in encoders, MAE's decoder and CLIP's text tower. The second run has
the same weights, the same draws of drop path and the same batch statistics, so that loss and gradient keep every bit; running
statistics of batch norm stay in it, having moved in the first.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, is_grad_enabled, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from pipelines.encoders.base import EncoderBlock
from pipelines.errors import InputError
from pipelines.method import Method


def recompute_blocks(method: Method) -> None:
    """Let every block of ``method`` that trains keep no activations; InputError where its encoder has none of ours."""
    if not any(isinstance(part, EncoderBlock) for part in method.encoder.modules()):
        raise InputError(
            "training.recompute_blocks: this encoder has no blocks that are known here; use encoder resnet or vit, or "
            "training.device_batch_size, which keeps no activations either"
        )
    for part in method.modules():
        if isinstance(part, EncoderBlock):
            part.forward = Recomputed(part, part.forward)  # type: ignore[method-assign]


@dataclass
class Recomputed:
    """``call``, the forward pass of ``block``, which runs once more in the backward pass."""

    block: nn.Module
    call: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        """As ``call``."""
        if not (self.block.training and is_grad_enabled()):
            return self.call(x)
        found: Tensor = checkpoint(self.call, x, use_reentrant=False, context_fn=self._contexts)
        return found

    def _contexts(self) -> tuple[Any, Any]:
        return contextlib.nullcontext(), statistics_kept(self.block)


@contextlib.contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """Running statistics of batch norms stay: what runs a second time has moved them already."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked, norm.track_running_stats) for norm in norms]
    for norm in norms:
        if isinstance(norm, nn.SyncBatchNorm):  # it insists on a count while it tracks statistics
            norm.track_running_stats = False
        else:
            norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count, tracks) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked, norm.track_running_stats = momentum, count, tracks
