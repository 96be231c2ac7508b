"""Whole images of any size with the boxes of what they show: what travels from the shards to a detector."""

from dataclasses import dataclass

from torch import Tensor

from pipelines.batch import Batch


@dataclass(frozen=True)
class Scene:
    """One image with the M things it shows.

    image      (3, H, W) uint8
    boxes      (M, 4) float32: left, top, right, bottom in pixels; the whole image is (0, 0, W, H)
    label      (M,) int64, 1 .. C: 0 is the background
    difficult  (M,) bool: hard to make out, so that finding it counts neither for nor against
    """

    image: Tensor
    boxes: Tensor
    label: Tensor
    difficult: Tensor

    @property
    def view(self) -> Tensor:
        """The image as a detector takes it: (3, H, W) float in [0, 1]."""
        return self.image.float() / 255


@dataclass(frozen=True, kw_only=True)
class SceneBatch(Batch):
    """Scenes of one step; ``images`` is None, as they differ in size, and ``label`` has -1 for each."""

    scenes: tuple[Scene, ...]
