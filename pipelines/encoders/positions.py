"""Fixed sine-cosine position codes on a grid of patches, and resizing of learnt ones.

MAE (He et al. 2021, arXiv:2111.06377, appendix A.1) and MoCo v3 (Chen et al. 2021, arXiv:2104.02057, section 5.1) use
the same code with the halves for rows and columns swapped.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.errors import InputError


def sincos_1d(dim: int, positions: Tensor) -> Tensor:
    """(M,) positions -> (M, dim) float64: [sin(p w_k), cos(p w_k)] with w_k = 10000^(-k / (dim/2)), k < dim/2."""
    assert dim % 2 == 0
    frequencies = 10000 ** -(torch.arange(dim // 2, dtype=torch.float64) / (dim / 2))
    angles = torch.outer(positions.to(torch.float64), frequencies)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def sincos_2d(dim: int, rows: int, columns: int, first: Literal["row", "column"], class_token: bool) -> Tensor:
    """The code of a grid, patches row by row: (1, rows x columns, dim) float32, a zero row in front for a class token.

    first: what the first half of the code stands for: "column" in MAE, "row" in MoCo v3.
    InputError when dim is no multiple of 4.
    """
    if dim % 4:
        raise InputError(f"encoder: a sine-cosine position code needs a width that is a multiple of 4, got {dim}")
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    halves = [sincos_1d(dim // 2, axis.flatten()) for axis in (row, column)]
    code = torch.cat(halves if first == "row" else halves[::-1], dim=1)
    if class_token:
        code = torch.cat([code.new_zeros(1, dim), code])
    return code.unsqueeze(0).float()


def resized(code: Tensor, rows: int, columns: int, num_extra: int = 1) -> Tensor:
    """A position code of a square grid, bicubically resized: (1, extra + g^2, D) -> (1, extra + rows x columns, D).

    The first ``num_extra`` rows (class token) stay as they are. Resizing goes by target size; DINO's released code
    goes by a scale factor of (n + 0.1) / g, which differs by 1 to 2 per cent at 14 -> 6.
    """
    extra, grid = code[:, :num_extra], code[:, num_extra:]
    side = round(grid.shape[1] ** 0.5)
    assert side**2 == grid.shape[1], f"{grid.shape[1]} patches are not a square grid"
    if (side, side) == (rows, columns):
        return code
    maps = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    maps = F.interpolate(maps, size=(rows, columns), mode="bicubic", align_corners=False)
    return torch.cat([extra, maps.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
