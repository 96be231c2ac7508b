"""A batch through a network a chunk at a time, in the memory of one chunk, with the gradient of the whole batch.

First every chunk runs without keeping its activations, and the loss sees the embeddings of all. In the backward pass, with
the loss's gradient for its embeddings in hand, each chunk runs once more and adds its share: gradient caching (Gao et al.
2021, arXiv:2101.06983), which holds for a loss of any form, also for one that compares images. It is paid for with that
second forward pass. Heads and losses are not cut: they see the whole batch.

Batch norm in a network that is cut has the statistics of a chunk, and its running ones move once a chunk, not once a batch.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pipelines.encoders.base import Encoder
from pipelines.method import Method
from pipelines.training.recompute import statistics_kept

ROW_BY_ROW = ("forward", "feature_maps", "tokens")
"""Methods of networks that give a row for every row of their tensors."""


def num_chunks(images: int, limit: int | None) -> int:
    """Into how many chunks, as even as it goes, a batch is cut so that none holds more than ``limit`` images."""
    return 1 if limit is None else -(-images // limit)


def chunk_networks(method: Method, count: int) -> None:
    """Let the encoders of ``method`` and its ``row_networks`` take what they are given in ``count`` chunks while they train."""
    within: dict[nn.Module, _Within] = {}
    for network, name, call in list(row_calls(method)):
        shared = within.setdefault(network, _Within())
        setattr(network, name, Chunked(network, call, count, shared))


def row_calls(method: Method) -> Iterator[tuple[nn.Module, str, Callable[..., Any]]]:
    """(network, name, call) of what gives a row for every row: of encoders that hold no other, and of ``row_networks``."""
    encoders = [module for module in method.modules() if isinstance(module, Encoder)]
    innermost = [each for each in encoders if sum(isinstance(part, Encoder) for part in each.modules()) == 1]
    for network in (*innermost, *(method.get_submodule(name) for name in method.row_networks)):
        for name in ROW_BY_ROW:
            call = getattr(network, name, None)
            if call is not None and not isinstance(call, nn.Module):
                yield network, name, call


@dataclass
class _Within:
    """Whether a network works on a chunk just now: what it calls of its own is not cut again."""

    chunk: bool = False


@dataclass
class Chunked:
    """``call``, a method of ``network`` that gives a row for every row, in ``count`` chunks while that trains."""

    network: nn.Module
    call: Callable[..., Any]
    count: int
    within: _Within

    def __call__(self, *given: Any) -> Any:
        """given: tensors (N, ...), and what is the same for all rows; gives a tensor (N, ...) or several."""
        count = min(self.count, len(given[0]))
        if not self.network.training or self.within.chunk or count == 1:
            return self.call(*given)
        parts = [each.tensor_split(count) if isinstance(each, Tensor) else [each] * count for each in given]
        found = [self._chunk(*part) for part in zip(*parts, strict=True)]
        return torch.cat(found) if isinstance(found[0], Tensor) else [torch.cat(each) for each in zip(*found)]

    def _chunk(self, *given: Any) -> Any:
        if not torch.is_grad_enabled():
            return self._uncut(*given)
        return checkpoint(self._uncut, *given, use_reentrant=False, context_fn=self._contexts)

    def _uncut(self, *given: Any) -> Any:
        self.within.chunk = True
        try:
            return self.call(*given)
        finally:
            self.within.chunk = False

    def _contexts(self) -> tuple[Any, Any]:
        return contextlib.nullcontext(), statistics_kept(self.network)
