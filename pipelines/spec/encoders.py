"""Encoders: the backbone every method of a study trains."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.spec.base import Count, Model, Positive, Share


class ResNet(Model):
    """He et al. 2016 (arXiv:1512.03385)."""

    use: Literal["resnet"] = "resnet"
    depth: Literal[10, 18, 34, 50, 101, 152] = 18
    """Layers; 10 is one basic block a stage."""
    width: Count = 64
    """Channels of the first stage; 64 is the published network, 128 its 2x form."""
    stem: Literal["large", "small"] = "large"
    """large: 7x7 stride 2 and max-pool. small: 3x3 stride 1, no pool (CIFAR)."""
    norm: Literal["batch", "group", "none"] = "batch"
    """Normalisation; group: GroupNorm with weight standardisation."""
    zero_init: bool = False
    """Start the last normalisation of each residual block at zero, as some released codes do (SimCLR, SimSiam, MoCo v3);
    without normalisation the last convolution, which a deep network then needs."""


class ViT(Model):
    """Dosovitskiy et al. 2021 (arXiv:2010.11929)."""

    use: Literal["vit"] = "vit"
    size: Literal["micro", "tiny", "small", "base", "large"] = "small"
    """micro 64 wide, 4 blocks, 4 heads (tests, laptops); tiny 192/12/3; small 384/12/6; base 768/12/12; large 1024/24/16."""
    patch: Count = 16
    """Side of a patch in pixels; must divide the image size."""
    position: Literal["learnt", "sincos"] = "learnt"
    pool: Literal["token", "mean"] = "token"
    """The pooled feature: class token or mean of the patch tokens."""
    drop_path: Share = 0.0
    heads: Count | None = None
    """Attention heads, none: the size's own (MoCo v3's ViT-S has 12)."""


class Timm(Model):
    """Any backbone of the timm library, by its name there, without pretrained weights."""

    use: Literal["timm"] = "timm"
    name: str


class AlexNet(Model):
    """CMC's batch-normalised AlexNet; ``share`` 0.5 is the half-width branch of its two-view split."""

    use: Literal["alexnet"] = "alexnet"
    share: Positive = 1.0


AnyEncoder = Annotated[ResNet | ViT | Timm | AlexNet, Field(discriminator="use")]


def encoder_name(encoder: ResNet | ViT | Timm | AlexNet) -> str:
    """A readable name, e.g. resnet18, resnet18w16, vit_small16."""
    match encoder:
        case ResNet():
            return f"resnet{encoder.depth}" + (f"w{encoder.width}" if encoder.width != 64 else "")
        case ViT():
            return f"vit_{encoder.size}{encoder.patch}"
        case Timm():
            return encoder.name
        case AlexNet():
            return "alexnet" if encoder.share == 1 else f"alexnet{encoder.share:g}"
