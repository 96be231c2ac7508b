"""Projection and prediction heads: small multi-layer perceptrons that training needs and evaluation drops."""

import itertools
from collections.abc import Sequence

from torch import nn


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with bias from widths[0] to widths[-1], ReLU between them, no normalisation (MoCo's heads)."""
    layers: list[nn.Module] = []
    for inside, outside in itertools.pairwise(widths):
        layers += [nn.Linear(inside, outside), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


class ScaleNorm(nn.BatchNorm1d):
    """Batch normalisation with a gain and no shift: the last layer of SimCLR's heads."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.bias.requires_grad_(False)  # stays 0


def simclr_head(widths: Sequence[int]) -> nn.Sequential:
    """SimCLR's head as released: every layer is a linear map without bias, then batch norm; ReLU but for the last.

    The weights start at N(0, 0.01); the last norm has a gain only (google-research/simclr, model_util.py). One child a
    layer: SimCLR v2 fine-tunes from the output of child 0.
    """
    layers = []
    for i, (inside, outside) in enumerate(itertools.pairwise(widths)):
        last = i == len(widths) - 2
        linear = nn.Linear(inside, outside, bias=False)
        nn.init.normal_(linear.weight, std=0.01)
        parts = [ScaleNorm(outside)] if last else [nn.BatchNorm1d(outside), nn.ReLU(inplace=True)]
        layers.append(nn.Sequential(linear, *parts))
    return nn.Sequential(*layers)
