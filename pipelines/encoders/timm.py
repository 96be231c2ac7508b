"""Any backbone of the timm library, untrained, behind the encoder interface."""

import difflib
from typing import Any, cast

import timm
from torch import Tensor

from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.spec.encoders.timm import Options


class TimmBackbone(Encoder):
    """name: a timm architecture (else InputError with near names).

    image_size matters to architectures that fix the size of their input; the others take any.
    """

    def __init__(self, name: str, image_size: int, in_channels: int = 3) -> None:
        super().__init__()
        if not timm.is_model(name):
            near = difflib.get_close_matches(name, timm.list_models(), n=3)
            hint = f"; near: {', '.join(near)}" if near else "; timm.list_models() lists its names"
            raise InputError(f"encoder.name: timm has no model {name!r}{hint}")
        settings = timm.get_pretrained_cfg(name)
        size: dict[str, Any] = {"img_size": image_size} if settings is not None and settings.fixed_input_size else {}
        # Cast to Any: timm's models share attributes that no type declares.
        model = cast(Any, timm.create_model(name, pretrained=False, num_classes=0, in_chans=in_channels, **size))
        self.model = model
        self.width = model.head_hidden_size
        self.map_widths = tuple(stage["num_chs"] for stage in model.feature_info)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, width), pooled as the architecture does."""
        return self.model(images)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """(N, C, H, W) -> one map a stage as timm counts them (for transformers: one a block), deepest last."""
        return self.model.forward_intermediates(images, intermediates_only=True, output_fmt="NCHW")


def build(options: Options, image_size: int, in_channels: int = 3) -> TimmBackbone:
    """The encoder that the options describe, freshly initialised."""
    return TimmBackbone(options.name, image_size, in_channels)
