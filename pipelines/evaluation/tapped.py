"""Which feature of an encoder a linear classifier reads: pooled, or of a ViT the class tokens of its last blocks (DINO,
Caron et al. 2021, arXiv:2104.14294, appendix F), with or without the mean patch token (DINOv2, arXiv:2304.07193)."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from pipelines.encoders.base import Encoder
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.evaluation.classifier import Classifier
from pipelines.evaluation.features import evaluating


def blocks_of(feature: str) -> int:
    """How many blocks' class tokens tokens_4 or tokens_4_mean asks for; 0 for others."""
    return int(feature.split("_")[1]) if feature.startswith("tokens") else 0


def stage_of(feature: str) -> int:
    """Which of an encoder's maps stage_3 is the mean of, from 1; 0 for others."""
    return int(feature.split("_")[1]) if feature.startswith("stage") else 0


def width_of(encoder: Encoder, feature: str) -> int:
    """How wide a feature is; InputError for what the encoder does not have."""
    if stage := stage_of(feature):
        if stage > len(encoder.map_widths):
            raise InputError(
                f"evaluation: the feature {feature} is of stage {stage}, and the encoder has {len(encoder.map_widths)}; "
                "ask for an earlier one"
            )
        return encoder.map_widths[stage - 1]
    count = blocks_of(feature)
    if not count:
        return encoder.width
    if not isinstance(encoder, ViT):
        raise InputError(
            f"evaluation: the feature {feature} needs a ViT's blocks, and this encoder is none; take pooled"
        )
    if count > len(encoder.blocks):
        raise InputError(
            f"evaluation: the feature {feature} asks for {count} blocks, and the encoder has "
            f"{len(encoder.blocks)}; ask for fewer"
        )
    return encoder.width * (count + feature.endswith("_mean"))


def features_of(encoder: Encoder, images: Tensor, features: Sequence[str]) -> dict[str, Tensor]:
    """(N, C, H, W) -> each feature (N, width_of), float32 at least, from one pass for each kind of them."""
    found: dict[str, Tensor] = {"pooled": encoder(images)} if "pooled" in features else {}
    if most := max(map(blocks_of, features)):
        assert isinstance(encoder, ViT), "width_of refuses others"
        tokens = encoder.last_tokens(images, most)
        for feature in features:
            if count := blocks_of(feature):
                parts = [x[:, 0] for x in tokens[-count:]]
                found[feature] = torch.cat([*parts, *([tokens[-1][:, 1:].mean(1)] * feature.endswith("_mean"))], dim=1)
    if any(map(stage_of, features)):
        maps = encoder.feature_maps(images)
        found |= {each: maps[stage_of(each) - 1].mean((2, 3)) for each in features if stage_of(each)}
    return {name: rows if rows.dtype == torch.float64 else rows.float() for name, rows in found.items()}


def tapped_parts(
    encoder: Encoder, batches: Iterable[Tensor], device: torch.device, features: Sequence[str]
) -> Iterator[Tensor]:
    """Batches (N, C, H, W) -> (N, F) float32 on the CPU, all features side by side, in eval mode."""
    for images in batches:
        with torch.no_grad(), evaluating(encoder):
            found = features_of(encoder, images.to(device, non_blocking=True), features)
            rows = torch.cat([found[each].float() for each in features], dim=1).cpu()
        yield rows


class Tapped(Classifier):
    """A linear classifier that reads one feature of a frozen encoder, through a norm or nothing."""

    def __init__(self, encoder: Encoder, feature: str, norm: nn.Module, linear: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.encoder, self.feature, self.head, self.linear, self.smoothing = encoder, feature, norm, linear, 0.0

    def logits(self, images: Tensor) -> Tensor:
        """(N, C), float32 at least."""
        scores: Tensor = self.linear(self.head(features_of(self.encoder, images, [self.feature])[self.feature]))
        return scores
