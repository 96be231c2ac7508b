"""What an encoder is: images to a pooled feature, with the feature maps on the way."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class EncoderBlock(nn.Module):
    """One of the blocks that an encoder, a decoder or a text tower is made of: one tensor in, one out, all at once."""


class Encoder(nn.Module, ABC):
    """A backbone without classifier.

    width       size of the pooled feature
    map_widths  channels of each feature map, in the order ``feature_maps`` gives them
    """

    width: int
    map_widths: tuple[int, ...]

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) normalised floats -> (N, width)."""

    @abstractmethod
    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """(N, C, H, W) -> one (N, map_widths[i], H_i, W_i) for every stage, the last one deepest."""
