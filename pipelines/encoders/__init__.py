"""Every encoder: one file each, found by its name, offering ``build(options, image_size, in_channels) -> Encoder``."""

import importlib

from pipelines.encoders.base import Encoder
from pipelines.spec.encoders.base import EncoderOptions


def build_encoder(options: EncoderOptions, image_size: int, in_channels: int = 3) -> Encoder:
    """A freshly initialised encoder for images of ``image_size`` pixels a side.

    The weights are drawn from torch's default generator. Only the file of that name is imported: timm costs a job
    seconds. InputError when encoder and image size do not fit, or timm does not know the name.
    """
    module = importlib.import_module(f"{__name__}.{options.use}")
    encoder: Encoder = module.build(options, image_size, in_channels)
    return encoder
