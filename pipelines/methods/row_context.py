"""A context for each patch from the rows above and its own: the masked convolutions of CPC's pseudo-code.

The form is that of Henaff et al. 2019 (arXiv:1905.09272, appendix); the first CPC paper only says "PixelCNN-style".
"""

import torch.nn.functional as F
from torch import Tensor, nn


class RowBlock(nn.Module):
    """1x1, then 1x3 along the row, then 2x1 over this row and the one above, then 1x1; beside the identity."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(width, hidden, 1)
        self.along = nn.Conv2d(hidden, hidden, (1, 3), padding=(0, 1))
        self.down = nn.Conv2d(hidden, hidden, (2, 1))
        self.widen = nn.Conv2d(hidden, width, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """(N, width, rows, columns) -> the same shape."""
        x = self.along(F.relu(self.narrow(codes)))
        x = F.relu(self.down(F.pad(x, (0, 0, 1, 0))))  # a row of zeros on top: no row below is seen
        return F.relu(codes + self.widen(x))


def row_context(width: int, hidden: int, layers: int) -> nn.Sequential:
    """(N, width, rows, columns) -> the same shape; place (r, c) depends on rows r - layers .. r alone."""
    return nn.Sequential(*(RowBlock(width, hidden) for _ in range(layers)))
