"""Which feature of an encoder a linear classifier reads: pooled, or of a ViT the class tokens of its last blocks (DINO,
Caron et al. 2021, arXiv:2104.14294, appendix F), with or without the mean patch token (DINOv2, arXiv:2304.07193)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipelines.encoders.base import Encoder
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.evaluation.classifier import Classifier


def blocks_of(feature: str) -> int:
    """How many blocks' class tokens tokens_4 or tokens_4_mean asks for; 0 for the pooled feature."""
    return 0 if feature == "pooled" else int(feature.split("_")[1])


def width_of(encoder: Encoder, feature: str) -> int:
    """How wide a feature is; InputError for tokens that the encoder does not have."""
    count = blocks_of(feature)
    if not count:
        return encoder.width
    if not isinstance(encoder, ViT):
        raise InputError(
            f"evaluation.linear_augmented.features: {feature} needs a ViT's blocks, and this encoder is none; take pooled"
        )
    if count > len(encoder.blocks):
        raise InputError(
            f"evaluation.linear_augmented.features: {feature} asks for {count} blocks, and the encoder has "
            f"{len(encoder.blocks)}; ask for fewer"
        )
    return encoder.width * (count + feature.endswith("_mean"))


def features_of(encoder: Encoder, images: Tensor, features: Sequence[str]) -> dict[str, Tensor]:
    """(N, C, H, W) -> each feature (N, width_of), float32 at least, from one pass (two where pooled is asked for too)."""
    found: dict[str, Tensor] = {"pooled": encoder(images)} if "pooled" in features else {}
    if most := max(map(blocks_of, features)):
        assert isinstance(encoder, ViT), "width_of refuses others"
        tokens = encoder.last_tokens(images, most)
        for feature in features:
            if count := blocks_of(feature):
                parts = [x[:, 0] for x in tokens[-count:]]
                found[feature] = torch.cat([*parts, *([tokens[-1][:, 1:].mean(1)] * feature.endswith("_mean"))], dim=1)
    return {name: rows if rows.dtype == torch.float64 else rows.float() for name, rows in found.items()}


class Tapped(Classifier):
    """A linear classifier that reads one feature of a frozen encoder, through a norm or nothing."""

    def __init__(self, encoder: Encoder, feature: str, norm: nn.Module, linear: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.encoder, self.feature, self.head, self.linear, self.smoothing = encoder, feature, norm, linear, 0.0

    def logits(self, images: Tensor) -> Tensor:
        """(N, C), float32 at least."""
        scores: Tensor = self.linear(self.head(features_of(self.encoder, images, [self.feature])[self.feature]))
        return scores
