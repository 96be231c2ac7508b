"""An encoder from its spec. timm is imported only when a study asks for it: its import costs a job seconds."""

from typing import assert_never

from pipelines.encoders.base import Encoder
from pipelines.spec import encoders as spec


def build_encoder(
    options: spec.ResNet | spec.ViT | spec.Timm | spec.AlexNet, image_size: int, in_channels: int = 3
) -> Encoder:
    """A freshly initialised encoder for images of ``image_size`` pixels a side.

    The weights are drawn from torch's default generator. InputError when encoder and image size
    do not fit, or timm does not know the name.
    """
    match options:
        case spec.ResNet():
            from pipelines.encoders.resnet import ResNet

            return ResNet(options.depth, options.width, options.stem, options.norm, options.zero_init, in_channels)
        case spec.ViT():
            from pipelines.encoders.vit import SIZES, ViT

            width, depth, heads = SIZES[options.size]
            return ViT(
                width,
                depth,
                options.heads or heads,
                options.patch,
                image_size,
                options.position,
                options.pool,
                options.drop_path,
                in_channels,
            )
        case spec.AlexNet():
            from pipelines.encoders.alexnet import AlexNet

            return AlexNet(options.share, image_size, in_channels)
        case spec.Timm():
            from pipelines.encoders.timm_backbone import TimmBackbone

            return TimmBackbone(options.name, image_size, in_channels)
        case _:
            assert_never(options)
