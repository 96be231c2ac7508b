"""torchvision's Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) around the four stages of a pretrained ResNet.

c4 is MoCo's detector (He et al. 2020, arXiv:1911.05722, appendix: R50-C4 with a batch norm behind the last stage), fpn
torchvision's pyramid. What differs from MoCo's, which is detectron2's: regions are cut without the half-pixel shift, boxes are
regressed by a smooth L1 loss that is quadratic below 1/9 (plain L1), the layer that names boxes begins as torch's linear
layers do, images are resized bilinearly without antialiasing, and test images are normalised by running averages that are not
measured anew after training ("precise batch norm"). In a pyramid the two layers that judge a box have no batch norm.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from pipelines.batch import Batch
from pipelines.encoders.resnet import ResNet
from pipelines.methods.base import Method, Output, Progress
from pipelines.scene import Scene, SceneBatch
from pipelines.spec.evaluation.detection import Options as Detection

PYRAMID = 256
"""Channels of every map of a pyramid (Lin et al. 2017, arXiv:1612.03144, section 3)."""
SHAPES = (0.5, 1.0, 2.0)
"""Height over width of the boxes that proposals start from."""
REGION = 14
"""Places a side of a region of the third stage's map; the last stage halves them."""
PROPOSALS = {"rpn_pre_nms_top_n_train": 12_000, "rpn_pre_nms_top_n_test": 6_000}
"""Of one map, before overlapping ones are thinned to 2,000 and 1,000 (detectron2's C4, MoCo's Base-RCNN-C4-BN.yaml)."""


class Body(nn.Module):
    """A ResNet as far as its third stage."""

    def __init__(self, encoder: ResNet) -> None:
        super().__init__()
        self.encoder = encoder
        self.out_channels = encoder.map_widths[2]

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, out_channels, h, w)."""
        e = self.encoder
        x: Tensor = e.maxpool(F.relu(e.bn1(e.conv1(images)), inplace=True))
        x = e.layer3(e.layer2(e.layer1(x)))
        return x


class LastStage(nn.Module):
    """A ResNet's last stage on regions, a new normalisation, and the mean over places."""

    def __init__(self, stage: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.stage, self.norm = stage, norm

    def forward(self, regions: Tensor) -> Tensor:
        """(R, C, 14, 14) -> (R, width)."""
        return torch.mean(self.norm(self.stage(regions)), dim=(2, 3))


class Pyramid(nn.Module):
    """A ResNet's four maps, each joined with the deeper ones, and one more of half the side."""

    def __init__(self, encoder: ResNet, batch_norm: bool) -> None:
        super().__init__()
        self.encoder, self.out_channels = encoder, PYRAMID
        norm = nn.BatchNorm2d if batch_norm else None
        self.pyramid = FeaturePyramidNetwork(list(encoder.map_widths), PYRAMID, LastLevelMaxPool(), norm)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) -> maps by name, 0 to 3 and pool."""
        maps = self.encoder.feature_maps(images)
        found: dict[str, Tensor] = self.pyramid(OrderedDict((str(i), each) for i, each in enumerate(maps)))
        return found


def faster_rcnn(
    options: Detection, encoder: ResNet, num_classes: int, mean: Sequence[float], std: Sequence[float]
) -> FasterRCNN:
    """The detector; the encoder's weights are where it starts, all new layers are drawn from torch's own generator.

    num_classes: without the background. mean, std: three each, of channels in [0, 1].
    """
    trained = options.batch_norm == "train"
    shared = {"min_size": options.scales, "max_size": options.longest, "image_mean": list(mean), "image_std": list(std)}
    if options.neck == "fpn":
        anchors = AnchorGenerator(tuple((side,) for side in options.anchors), (SHAPES,) * len(options.anchors))
        body = Pyramid(encoder, trained)
        return FasterRCNN(body, num_classes + 1, rpn_anchor_generator=anchors, **shared)
    norm = nn.BatchNorm2d(encoder.width) if trained else nn.Identity()
    return FasterRCNN(
        Body(encoder),
        rpn_anchor_generator=AnchorGenerator((options.anchors,), (SHAPES,)),
        box_roi_pool=MultiScaleRoIAlign(["0"], REGION, sampling_ratio=0),
        box_head=LastStage(encoder.layer4, norm),
        box_predictor=FastRCNNPredictor(encoder.width, num_classes + 1),
        **PROPOSALS,
        **shared,
    )


class Detector(Method):
    """A Faster R-CNN in the hands of the training loop. Its draws (scales, sampled boxes) are torch's own, seeded a step."""

    encoder: ResNet

    def __init__(
        self, options: Detection, encoder: ResNet, num_classes: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.encoder, self.model = encoder, faster_rcnn(options, encoder, num_classes, mean, std)
        self.frozen = (
            [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)] if options.batch_norm == "frozen" else []
        )
        for module in self.frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> "Detector":
        """As every module's, but that frozen batch norms stay as they are."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def loss(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        """views: (3, H, W) in [0, 1], one a scene of the batch. The sum of the four losses, of proposals and of boxes."""
        assert isinstance(batch, SceneBatch), "a detector learns from scenes"
        targets = [{"boxes": scene.boxes, "labels": scene.label} for scene in batch.scenes]
        parts: dict[str, Tensor] = self.model(views, targets)
        scalars = {name: value.detach() for name, value in parts.items()}
        return Output(torch.stack(list(parts.values())).sum(), scalars)

    @torch.no_grad()
    def detect(self, scenes: Sequence[Scene]) -> list[dict[str, Tensor]]:
        """boxes (D, 4), labels (D,) and scores (D,) of each scene, at most 100, in eval mode."""
        found: list[dict[str, Tensor]] = self.model([scene.view for scene in scenes])
        return found
