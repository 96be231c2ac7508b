"""The peers of steps: methods put together from lightly's parts as the PyTorch examples of its documentation do.

After the examples of MoCo, SimCLR, BYOL, SwAV, DINO and MAE at docs.lightly.ai/self-supervised-learning/examples: their
transforms, heads, losses, momentum updates and optimizers. Changed: the ResNet-18 has the stem and the width that are
compared, sizes and numbers of crops are those of our recipes, and SwAV's and DINO's output widths those of our options.
MAE's vision transformer is timm's of the size that is compared, with a decoder as wide and deep as ours.
"""

import copy
from typing import Any

import torch
from lightly.loss import DINOLoss, NegativeCosineSimilarity, NTXentLoss, SwaVLoss
from lightly.models import utils
from lightly.models.modules import (
    BYOLPredictionHead,
    BYOLProjectionHead,
    DINOProjectionHead,
    MAEDecoderTIMM,
    MaskedVisionTransformerTIMM,
    SimCLRProjectionHead,
    SwaVProjectionHead,
    SwaVPrototypes,
)
from lightly.transforms import DINOTransform, MAETransform, MoCoV2Transform, SimCLRTransform, SwaVTransform
from lightly.transforms.byol_transform import BYOLTransform, BYOLView1Transform, BYOLView2Transform
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import lightly_moco
from benchmarks.lightly_moco import resnet18

HIDDEN = 1024
"""Width of BYOL's heads in the example."""
LOCAL = 4
"""Small crops of half the side, as our recipes have them for small images."""


class Loop(nn.Module):
    """One documented example: ``transform`` of a PIL picture, ``loss`` of a batch of its views, ``rate`` of its optimizer.

    Views are on the device that the loop was moved to.
    """

    rate = 0.06
    transform: Any

    def loss(self, views: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class MoCo(Loop):
    def __init__(self, width: int, size: int, queue_size: int) -> None:
        super().__init__()
        self.transform = MoCoV2Transform(input_size=size, gaussian_blur=0.5)
        self.networks = lightly_moco.MoCo(width)
        self.criterion = NTXentLoss(memory_bank_size=(queue_size, lightly_moco.DIM))

    def loss(self, views: list[Tensor]) -> Tensor:
        utils.update_momentum(self.networks.backbone, self.networks.slow_backbone, m=0.996)
        utils.update_momentum(self.networks.head, self.networks.slow_head, m=0.996)
        return self.criterion(self.networks.query(views[0]), self.networks.key(views[1]))


class SimCLR(Loop):
    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.transform = SimCLRTransform(input_size=size, gaussian_blur=0.0)
        self.backbone = resnet18(width)
        self.head = SimCLRProjectionHead(8 * width, 8 * width, 128)
        self.criterion = NTXentLoss()

    def loss(self, views: list[Tensor]) -> Tensor:
        first, second = (self.head(self.backbone(view).flatten(start_dim=1)) for view in views)
        return self.criterion(first, second)


class BYOL(Loop):
    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.transform = BYOLTransform(
            view_1_transform=BYOLView1Transform(input_size=size, gaussian_blur=0.0),
            view_2_transform=BYOLView2Transform(input_size=size, gaussian_blur=0.0),
        )
        self.backbone = resnet18(width)
        self.projection, self.prediction = (
            BYOLProjectionHead(8 * width, HIDDEN, 256),
            BYOLPredictionHead(256, HIDDEN, 256),
        )
        self.slow_backbone, self.slow_projection = copy.deepcopy(self.backbone), copy.deepcopy(self.projection)
        utils.deactivate_requires_grad(self.slow_backbone)
        utils.deactivate_requires_grad(self.slow_projection)
        self.criterion = NegativeCosineSimilarity()

    def loss(self, views: list[Tensor]) -> Tensor:
        utils.update_momentum(self.backbone, self.slow_backbone, m=0.996)
        utils.update_momentum(self.projection, self.slow_projection, m=0.996)
        p0, p1 = (self.prediction(self.projection(self.backbone(view).flatten(start_dim=1))) for view in views)
        z0, z1 = (self.slow_projection(self.slow_backbone(view).flatten(start_dim=1)).detach() for view in views)
        return 0.5 * (self.criterion(p0, z1) + self.criterion(p1, z0))


class SwAV(Loop):
    def __init__(self, width: int, size: int, prototypes: int) -> None:
        super().__init__()
        self.transform = SwaVTransform(
            crop_sizes=(size, size // 2),
            crop_counts=(2, LOCAL),
            crop_min_scales=(0.2, 0.08),
            crop_max_scales=(1.0, 0.5),
            gaussian_blur=0.0,
        )
        self.backbone = resnet18(width)
        self.head, self.prototypes = SwaVProjectionHead(8 * width, 2048, 128), SwaVPrototypes(128, prototypes)
        self.criterion = SwaVLoss()

    def loss(self, views: list[Tensor]) -> Tensor:
        self.prototypes.normalize()
        outputs = [
            self.prototypes(F.normalize(self.head(self.backbone(view).flatten(start_dim=1)), dim=1, p=2))
            for view in views
        ]
        return self.criterion(outputs[:2], outputs[2:])

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.001)


class DINO(Loop):
    def __init__(self, width: int, size: int, outputs: int) -> None:
        super().__init__()
        self.transform = DINOTransform(
            global_crop_size=size, local_crop_size=size // 2, n_local_views=LOCAL, gaussian_blur=(0.0, 0.0, 0.0)
        )
        self.student_backbone = resnet18(width)
        self.student_head = DINOProjectionHead(8 * width, 2048, 256, outputs, freeze_last_layer=1)
        self.teacher_backbone = copy.deepcopy(self.student_backbone)
        self.teacher_head = DINOProjectionHead(8 * width, 2048, 256, outputs)
        utils.deactivate_requires_grad(self.teacher_backbone)
        utils.deactivate_requires_grad(self.teacher_head)
        self.criterion = DINOLoss(output_dim=outputs)

    def loss(self, views: list[Tensor]) -> Tensor:
        utils.update_momentum(self.student_backbone, self.teacher_backbone, m=0.996)
        utils.update_momentum(self.student_head, self.teacher_head, m=0.996)
        with torch.no_grad():
            teacher = [self.teacher_head(self.teacher_backbone(view).flatten(start_dim=1)) for view in views[:2]]
        student = [self.student_head(self.student_backbone(view).flatten(start_dim=1)) for view in views]
        return self.criterion(teacher, student, epoch=0)

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.001)


class MAE(Loop):
    def __init__(self, vit: nn.Module, size: int, patch: int, decoder: tuple[int, int, int]) -> None:
        """decoder: its width, blocks and heads."""
        super().__init__()
        width, depth, heads = decoder
        self.transform, self.patch, self.mask_ratio = MAETransform(input_size=size), patch, 0.75
        self.backbone = MaskedVisionTransformerTIMM(vit=vit)
        self.length = self.backbone.sequence_length
        self.decoder = MAEDecoderTIMM(
            num_patches=vit.patch_embed.num_patches,
            patch_size=patch,
            embed_dim=vit.embed_dim,
            decoder_embed_dim=width,
            decoder_depth=depth,
            decoder_num_heads=heads,
        )
        self.criterion = nn.MSELoss()

    def loss(self, views: list[Tensor]) -> Tensor:
        (images,) = views
        keep, mask = utils.random_token_mask((len(images), self.length), self.mask_ratio, device=images.device)
        encoded = self.decoder.embed(self.backbone.encode(images=images, idx_keep=keep))
        masked = utils.repeat_token(self.decoder.mask_token, (len(images), self.length))
        decoded = self.decoder.decode(utils.set_at_index(masked, keep, encoded.type_as(masked)))
        predicted = self.decoder.predict(utils.get_at_index(decoded, mask))
        target = utils.get_at_index(utils.patchify(images, self.patch), mask - 1)
        return self.criterion(predicted, target)

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1.5e-4)
