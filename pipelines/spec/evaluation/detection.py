"""Options of object detection."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, NotNegative, Positive, Share
from pipelines.spec.datasets.base import Targets
from pipelines.spec.encoders.base import EncoderOptions
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.evaluation.base import Protocol

SCALES = (480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800)
LEVELS = 5
"""Maps of a pyramid: four stages and one of half the last one's side."""
BODY_GFLOPS, REGION_GFLOPS = 4.1, 0.8
"""Multiply-adds in billions of a ResNet-50 on 224 pixels a side, and of its last stage on one box of 14 x 14 places."""
REGIONS = 512
"""Boxes of an image that are judged in a step of training."""


class Options(Protocol):
    """torchvision's Faster R-CNN from the pretrained ResNet, all of it fine-tuned, on PASCAL VOC.

    Defaults: MoCo's (He et al. 2020, arXiv:1911.05722, section 4.2, and detection/configs of its code): R50-C4, 24,000
    iterations of 16 images at 0.02, a tenth after 18,000 and 22,000.
    """

    use: Literal["detection"] = "detection"
    on_images: ClassVar[bool] = True
    targets: ClassVar[Targets] = "boxes"
    class_number: ClassVar[str] = "ap"
    neck: Literal["c4", "fpn"] = "c4"
    """c4: boxes are proposed on the third stage's map, and its last stage, with a new batch norm behind it, judges each.
    fpn: a feature pyramid over the four stages (Lin et al. 2017, arXiv:1612.03144), and two new layers judge."""
    batch_norm: Literal["train", "frozen"] = "train"
    """train: fine-tuned, with the statistics of each batch (MoCo). frozen: weights and statistics stay as pretrained, and new
    layers have no batch norm."""
    iterations: int = Field(default=24_000, ge=0)
    """Steps of the optimizer; 0 measures the detector before any."""
    batch_size: Count = 16
    """Images a step, all on one device."""
    lr: Positive = 0.02
    """For a step, whatever its size."""
    weight_decay: NotNegative = 1e-4
    milestones: tuple[Share, ...] = (0.75, 11 / 12)
    """Shares of the iterations after which the rate falls to a tenth: 18,000 and 22,000 of 24,000."""
    warmup_iterations: int = Field(default=100, ge=0)
    """Over which the rate rises from 0; at most a tenth of the iterations."""
    scales: tuple[Count, ...] = Field(default=SCALES, min_length=1)
    """Pixels of an image's short side, drawn anew for every training image; test images have the last."""
    longest: Count = 1333
    """Pixels of an image's long side at most."""
    anchors: tuple[Count, ...] = Field(default=(32, 64, 128, 256, 512), min_length=1)
    """Sides in pixels of the boxes that proposals start from, each in three shapes; of a pyramid one a level, five."""

    @model_validator(mode="after")
    def _one_a_level(self) -> Self:
        if self.neck == "fpn" and len(self.anchors) != LEVELS:
            raise ValueError(f"anchors: a pyramid has {LEVELS} levels, one anchor each; got {len(self.anchors)}")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must rise, got {list(self.milestones)}")
        if max(self.scales) > self.longest:
            raise ValueError(
                f"scales: {max(self.scales)} pixels of the short side are more than longest ({self.longest})"
            )
        return self

    @property
    def numbers(self) -> tuple[str, ...]:
        return ("ap", "ap50", "ap75")

    @property
    def warmup(self) -> int:
        """Iterations of warm-up that a run of this length has."""
        return min(self.warmup_iterations, self.iterations // 10)

    def check_encoder(self, encoder: EncoderOptions, own: bool) -> None:
        if not isinstance(encoder, ResNet) or own:
            what = "an encoder that the method builds in a way of its own" if own else f"encoder {encoder.short_name}"
            raise ValueError(
                f"detection takes the four stages of a plain ResNet apart, and {what} has none; take {{use: resnet}} with a "
                "method that keeps it as it is, or leave detection out"
            )
        if self.batch_norm == "frozen" and encoder.norm != "batch":
            raise ValueError(
                f"detection: batch_norm: frozen, but the ResNet has norm: {encoder.norm}; leave batch_norm out"
            )

    @property
    def training_gflops(self) -> float:
        body = BODY_GFLOPS * (self.scales[-1] / 224) ** 2 * 4 / 3  # photographs are 4 : 3
        regions = REGIONS * REGION_GFLOPS if self.neck == "c4" else 0.0
        return 3 * self.iterations * self.batch_size * (body + regions)

    def gflops(self, forward: float, images: int) -> float:
        return self.training_gflops
