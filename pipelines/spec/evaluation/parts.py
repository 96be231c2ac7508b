"""What several protocols share: features to choose from, layers of a head, training on images, whole encoders."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.methods.base import MethodOptions

Feature = Annotated[str, Field(pattern=r"^(pooled|stage_[1-9]|tokens_[1-9][0-9]*(_mean)?)$")]
"""pooled; stage_3, the mean over places of an encoder's third map; of a ViT tokens_4, the last four blocks' class tokens side
by side (DINO), and tokens_4_mean, with the last block's mean patch token behind them (DINOv2)."""
POOLED = ("pooled",)


def check_tokens(features: Sequence[str], encoder: EncoderOptions) -> None:
    """ValueError where class tokens are asked of an encoder that has none."""
    tokens = [each for each in features if each.startswith("tokens")]
    if tokens and encoder.use not in ("vit", "checkpoint"):
        raise ValueError(
            f"features: {tokens[0]} needs a ViT's blocks, and encoder {encoder.short_name} is none; take pooled or a stage"
        )


def _is_none(value: int) -> bool:
    """Left out of what is written: the keys of jobs are those from before there was this option."""
    return not value


class BehindHead(Protocol):
    """A protocol on frozen features that reads those of the encoder, or of layers of the head on it."""

    head_layers: int = Field(default=0, ge=0, exclude_if=_is_none)
    """How many layers of the method's head the features have passed; 0: none, the encoder's own. SimCLR compares the two
    (section 4.2). Floors have no trained head: they are measured on the encoder's own."""

    def suits(self, method: MethodOptions) -> bool:
        return super().suits(method) and self.head_layers <= method.num_head_layers


class OnImages(Protocol):
    """A protocol that needs the weights and the images, not features."""

    on_images: ClassVar[bool] = True
    epochs: Count = 60
    batch_size: Count = 256
    optimizer: Literal["sgd", "lars", "adamw"] = "sgd"
    lr_scaling: Literal["linear", "sqrt", "none"] = "linear"
    weight_decay: NotNegative = 0.0
    warmup_epochs: NotNegative = 0.0
    crop: tuple[Share, Share] = (0.08, 1.0)
    """Crop area as a share of the image; beside the crop only flips are drawn."""
    flip: Share = 0.5

    def step_gflops(self, forward: float) -> float:
        """Of one image in a step, there and back: a backward pass costs twice a forward pass."""
        return 3 * forward

    def labelled(self, images: int) -> int:
        """How many images it trains on, of so many in train, as far as planning knows."""
        return images

    def gflops(self, forward: float, images: int) -> float:
        """Every image that it trains on, in every epoch."""
        return self.step_gflops(forward) * self.labelled(images) * self.epochs

    def training(self) -> dict[str, Any]:
        """The fields of ``Training`` that these settings decide."""
        names = ("epochs", "batch_size", "optimizer", "lr_scaling", "weight_decay", "warmup_epochs")
        return {name: getattr(self, name) for name in names}


class WholeEncoder(OnImages):
    """One classifier and its encoder, trained together at one rate."""

    lr_per_256: Positive = 0.02

    def training(self) -> dict[str, Any]:
        return super().training() | {"lr_per_256": self.lr_per_256}
