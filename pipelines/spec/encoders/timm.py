"""Options of the backbones in the library timm."""

from typing import Literal

from pipelines.spec.encoders.base import EncoderOptions


class Options(EncoderOptions):
    """Any backbone of the timm library, by its name there, without pretrained weights."""

    use: Literal["timm"] = "timm"
    name: str

    @property
    def short_name(self) -> str:
        return self.name

    def forward_gflops(self, image_size: int) -> float:
        return 4.0 * (image_size / 224) ** 2  # that of a ResNet-50: planning does not import timm to know better
