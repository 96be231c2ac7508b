"""What every file of a method starts from, in one import."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from pipelines.encoders.base import Encoder
from pipelines.method import Method, Output, Progress

__all__ = ["DataFacts", "MakeEncoder", "Method", "Output", "Progress", "full_precision"]


@dataclass(frozen=True)
class DataFacts:
    """What a method may know of the data set: samples in the pretraining split, classes, image side in pixels, captions of
    the pretraining split where it has some, channels of the views."""

    num_samples: int
    num_classes: int
    image_size: int
    class_names: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    channels: int = 3


MakeEncoder = Callable[..., Encoder]
"""``make_encoder(in_channels=C)`` builds one freshly initialised encoder of the study's kind; C: those of the data set."""


def full_precision(device: torch.device) -> torch.autocast:
    """A context without autocast: losses are computed in float32 whatever the encoder runs in."""
    return torch.autocast(device.type, enabled=False)
