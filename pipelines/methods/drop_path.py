"""Stochastic depth in one of two networks of the same shape, with draws that a resumed run repeats."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from pipelines.encoders.vit import Block
from pipelines.randomness import seed_for


def set_drop_path(encoder: nn.Module, rate: float) -> bool:
    """Set the rates of a ViT's blocks: from 0 in the first to ``rate`` in the last, linearly.

    Returns whether anything is left to chance now: not at rate 0, and not in encoders without such blocks.
    """
    blocks = [module for module in encoder.modules() if isinstance(module, Block)]
    for i, block in enumerate(blocks):
        block.drop_path = rate * i / max(len(blocks) - 1, 1)
    return any(block.drop_path for block in blocks)


@contextlib.contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Layers that draw from torch's default generator draw from a stream of ``generator``'s seed inside this context.

    The default generator goes on afterwards where it was. Only the seed is read, so a GPU is not waited for.
    """
    device = generator.device
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed_for(generator.initial_seed(), "layers"))
        yield
