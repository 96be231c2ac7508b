"""Stochastic depth in one of two networks of the same shape."""

from torch import nn

from pipelines.encoders.vit import Block


def set_drop_path(encoder: nn.Module, rate: float) -> None:
    """Set the rates of a ViT's blocks, from 0 in the first to ``rate`` in the last, linearly; other encoders have none.

    What is dropped is drawn from torch's default generator, which the loop seeds for every step.
    """
    blocks = [module for module in encoder.modules() if isinstance(module, Block)]
    for i, block in enumerate(blocks):
        block.drop_path = rate * i / max(len(blocks) - 1, 1)
