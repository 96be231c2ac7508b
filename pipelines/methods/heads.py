"""Projection and prediction heads: small multi-layer perceptrons that training needs and evaluation drops."""

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.encoders.norms import NormKind, num_groups


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


class StandardisedLinear(nn.Linear):
    """A linear map whose rows are shifted and scaled to mean 0 and variance 1 (Qiao et al. 2019, arXiv:1903.10520).

    The variance is the biased one over the inputs; 1e-5 is added to it before the root.
    """

    def forward(self, input: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.weight, dim=1, keepdim=True, correction=0)
        return F.linear(input, (self.weight - mean) * torch.rsqrt(variance + 1e-5), self.bias)


class PlainNorm(nn.BatchNorm1d):
    """Batch normalisation that neither scales nor shifts: gain and shift stay at 1 and 0."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.requires_grad_(False)


def normed_mlp(
    widths: Sequence[int],
    norm: NormKind = "batch",
    *,
    hidden_bias: bool = False,
    last_bias: bool = False,
    last_norm: bool = False,
) -> nn.Sequential:
    """Linear layers from widths[0] to widths[-1], each hidden one normalised before its ReLU (BYOL, SimSiam, MoCo v3).

    norm: batch; group: GroupNorm behind weight-standardised linear maps (Richemond et al. 2020, arXiv:2010.10241);
    none: hidden layers then have a bias whatever ``hidden_bias`` says, since nothing else shifts them.
    last_norm: a ``PlainNorm`` on the output. The weights start as PyTorch's.
    """
    layers: list[nn.Module] = []
    for inside, outside in itertools.pairwise(widths[:-1]):
        make = StandardisedLinear if norm == "group" else nn.Linear
        layers += [
            make(inside, outside, bias=hidden_bias or norm == "none"),
            *_norm(norm, outside),
            nn.ReLU(inplace=True),
        ]
    layers.append(nn.Linear(widths[-2], widths[-1], bias=last_bias))
    return nn.Sequential(*layers, *([PlainNorm(widths[-1])] if last_norm else []))


def _norm(kind: NormKind, width: int) -> list[nn.Module]:
    match kind:
        case "batch":
            return [nn.BatchNorm1d(width)]
        case "group":
            return [nn.GroupNorm(num_groups(width), width)]
        case "none":
            return []


def at_least_float32(rows: Tensor) -> Tensor:
    """``rows`` in float32, or in float64 when they are: the precision of losses."""
    return rows if rows.dtype == torch.float64 else rows.float()
