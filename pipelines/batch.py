"""What travels from the data to the views and the method."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """N samples of one data set.

    images   (N, C, H, W) uint8, the whole images, C 1 (grey) or 3; None where ``crops`` are given
    index    (N,) int64, position in the pretraining split, 0 .. num_samples - 1
    label    (N,) int64 class number, -1 where there is none
    captions N strings, or None
    crops    one (N, 3, h, w) uint8 tensor a view, cut from the decoded originals by the streaming path; else None
    fields   further image fields of a sample by name (depth, say), each (N, C, H, W) uint8
    """

    images: Tensor | None
    index: Tensor
    label: Tensor
    captions: list[str] | None = None
    crops: tuple[Tensor, ...] | None = None
    fields: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)
