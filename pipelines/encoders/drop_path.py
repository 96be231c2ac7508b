"""Stochastic depth (Huang et al. 2016, arXiv:1603.09382) by torchvision, which takes seconds to load: load this file only where
it is asked for.
"""

from torch import nn
from torchvision.ops import StochasticDepth

from pipelines.encoders.vit import Block


def set_drop_path(encoder: nn.Module, rate: float) -> None:
    """Set the rates at which a ViT's blocks leave a sample's branch out while training, from 0 in the first to ``rate`` in
    the last, linearly; other encoders have none.

    What is dropped is drawn from the device's default generator, which the loop seeds for every step.
    """
    blocks = [module for module in encoder.modules() if isinstance(module, Block)]
    for i, block in enumerate(blocks):
        share = rate * i / max(len(blocks) - 1, 1)
        block.drop = StochasticDepth(share, "row") if share else nn.Identity()
