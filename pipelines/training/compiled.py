"""Networks compiled by torch.compile for training: fewer and larger kernels, after some minutes of compiling.

Only what trains is compiled: evaluation meets other sizes of batches, each of which would be compiled anew. Losses, queues and
banks stay as they are. Numbers differ in rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipelines.method import Method
from pipelines.training.chunks import row_calls


def compile_networks(method: Method, graphs: bool = False) -> None:
    """Compile the encoders of ``method`` and its ``row_networks``. Before they are cut into chunks.

    graphs: as CUDA graphs, on a GPU; a step then begins with ``torch.compiler.cudagraph_mark_step_begin``, since what a
    network gave in the step before is overwritten.
    """
    mode = "reduce-overhead" if graphs else None
    for network, name, call in list(row_calls(method)):
        setattr(network, name, Compiled(network, call, torch.compile(call, mode=mode)))


@dataclass
class Compiled:
    """``call``, a method of ``network``, compiled while that trains."""

    network: nn.Module
    call: Callable[..., Any]
    fast: Callable[..., Any]

    def __call__(self, *given: Any) -> Any:
        """As ``call``."""
        return self.fast(*given) if self.network.training else self.call(*given)
