"""An encoder with the first layers of its projection head on top: what a probe reads behind the head, or inside it."""

from torch import Tensor, nn

from pipelines.encoders.base import Encoder


class Headed(Encoder):
    """The feature is what the head's layers make of the encoder's; the maps are the encoder's."""

    def __init__(self, encoder: Encoder, head: nn.Module, width: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self.width, self.map_widths = width, encoder.map_widths

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, width)."""
        feature: Tensor = self.head(self.encoder(images))
        return feature

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Those of the encoder."""
        return self.encoder.feature_maps(images)
