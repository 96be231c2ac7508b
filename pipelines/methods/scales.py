"""Feature maps of an encoder, chosen by their size: what DIM and AMDIM call local features."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pipelines.encoders.base import Encoder
from pipelines.encoders.resnet import ResNet
from pipelines.errors import InputError


def pooled_and_maps(encoder: Encoder, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The pooled feature (N, width) and the feature maps of images (N, C, H, W).

    A ResNet pools by the mean over its last map, so one pass gives both; other encoders take two passes.
    """
    maps = encoder.feature_maps(images)
    return (maps[-1].mean(dim=(2, 3)) if isinstance(encoder, ResNet) else encoder(images)), maps


@torch.no_grad()
def map_sides(encoder: Encoder, image_size: int, in_channels: int) -> list[int]:
    """Side of each feature map of an image of ``image_size`` pixels. The encoder keeps its mode and its statistics."""
    mode = encoder.training
    encoder.eval()
    maps = encoder.feature_maps(torch.zeros(1, in_channels, image_size, image_size))
    encoder.train(mode)
    return [features.shape[-1] for features in maps]


def local_map(sides: Sequence[int], least: int) -> int:
    """Number of the deepest map of at least ``least`` places a side, the last one left out while there is another.

    The first map where none is so large.
    """
    candidates = range(max(1, len(sides) - 1))
    return max((i for i in candidates if sides[i] >= least), default=0)


def two_scales(sides: Sequence[int], middle_side: int) -> tuple[int, int]:
    """Numbers of the map whose side comes nearest to ``middle_side`` (by ratio; the deeper of two) and of the one before.

    InputError when there are fewer than two maps.
    """
    if len(sides) < 2:
        raise InputError(f"encoder: has {len(sides)} feature map, two are needed, one before the other; use resnet")
    middle = min(range(1, len(sides)), key=lambda i: (abs(math.log(sides[i] / middle_side)), -i))
    return middle, middle - 1


def check_map(number: int, sides: Sequence[int], option: str) -> int:
    """``number``; InputError when the encoder has no such map."""
    if not 0 <= number < len(sides):
        raise InputError(
            f"{option}: {number}, but this encoder's maps are numbered 0 to {len(sides) - 1} "
            f"(sides {', '.join(map(str, sides))}); choose one of them or leave {option} out"
        )
    return number
