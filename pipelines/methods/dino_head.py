"""DINO's head: a perceptron to a unit vector, then a linear layer with rows of fixed length (arXiv:2104.14294, appendix C)."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.methods.base import full_precision
from pipelines.methods.heads import at_least_float32


class UnitRowsLinear(nn.Module):
    """A linear map without bias, each row a unit direction times a gain: weight normalisation (arXiv:1602.07868).

    weight_g (outside, 1) gains, at 1 at first and for good with ``fixed_gain``; weight_v (outside, inside) directions.
    """

    def __init__(self, inside: int, outside: int, fixed_gain: bool) -> None:
        super().__init__()
        self.fixed_gain = fixed_gain
        self.weight_g = nn.Parameter(torch.ones(outside, 1), requires_grad=not fixed_gain)
        self.weight_v = nn.Parameter(nn.Linear(inside, outside, bias=False).weight.detach())

    def learns(self, now: bool) -> None:
        """Whether the layer takes gradients from here on; without them no decay reaches it either."""
        self.weight_v.requires_grad_(now)
        self.weight_g.requires_grad_(now and not self.fixed_gain)

    def forward(self, rows: Tensor) -> Tensor:
        """(N, inside) -> (N, outside)."""
        return F.linear(rows, self.weight_g * F.normalize(self.weight_v, dim=1))


class DINOHead(nn.Module):
    """inside -> hidden, GELU, ... -> bottleneck, on the sphere -> outputs.

    layers: of the perceptron; batch_norm: before each GELU. Linear layers start truncated normal with sd 0.02, biases 0.
    """

    def __init__(
        self, inside: int, hidden: int, bottleneck: int, outputs: int, layers: int, batch_norm: bool, fixed_gain: bool
    ) -> None:
        super().__init__()
        widths = [inside, *[hidden] * (layers - 1), bottleneck]
        parts: list[nn.Module] = []
        for i, (before, after) in enumerate(itertools.pairwise(widths)):
            linear = nn.Linear(before, after)
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
            parts.append(linear)
            if i < layers - 1:
                parts += [nn.BatchNorm1d(after)] if batch_norm else []
                parts.append(nn.GELU())
        self.mlp = nn.Sequential(*parts)
        self.last_layer = UnitRowsLinear(bottleneck, outputs, fixed_gain)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, inside) -> unit rows (N, bottleneck) and outputs (N, outputs), both float32 at least."""
        rows = self.mlp(features)
        with full_precision(rows.device):
            unit = F.normalize(at_least_float32(rows), dim=1)
            return unit, self.last_layer(unit)
