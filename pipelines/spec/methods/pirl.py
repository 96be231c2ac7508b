"""Options of PIRL."""

from typing import Any, Literal, Self

from pydantic import model_validator

from pipelines.spec.base import Count, Positive, Share
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.base import Encoder, MethodOptions
from pipelines.spec.methods.parts import FeatureTransform
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Jigsaw, Views

SMALL = 64
"""Pixels up to which an image is small."""


class Options(MethodOptions):
    """PIRL with the jigsaw task (Misra and van der Maaten 2020, arXiv:1912.01991)."""

    use: Literal["pirl"] = "pirl"
    loss: Literal["nce", "info_nce"] = "nce"
    """nce: binary questions, Z fixed at the first step (the paper). info_nce: cross entropy over the own slot and the
    drawn ones, the softmax form of PyContrast."""
    temperature: Positive = 0.07
    num_negatives: Count = 32000
    """Slots drawn for each image, the same for both branches; PyContrast draws 65536."""
    jigsaw_weight: Share = 0.5
    """lambda: the share of the jigsaw branch in the loss."""
    bank_momentum: Share = 0.5
    """Share of its old content that a slot keeps at a visit."""
    bank_start: Literal["uniform", "unit"] = "unit"
    """unit: random unit vectors. uniform: InstDisc's released start, not normalised."""
    dim: Count = 128
    """Size of the embedding, and of a patch's part of the jigsaw's."""
    grid: Count | None = None
    """Cells a side of the jigsaw; none: 3, and 2 up to 64 pixels, where a ninth of an image shows next to nothing."""

    feature_transform: FeatureTransform | None = None
    """Zhu et al. 2021 (arXiv:2108.02982), ours to place here: the slot is the key, the drawn slots are the queue. For
    ``loss: info_nce`` only."""

    @model_validator(mode="after")
    def _transform(self) -> Self:
        if self.feature_transform:
            self.feature_transform.of_drawn(self.loss, "PIRL")
        return self

    @property
    def short_name(self) -> str:
        return "pirl" + ("_ft" if self.feature_transform else "")

    def cells(self, image_size: int | None) -> int:
        """Cells a side for images of this size in pixels."""
        return self.grid or (2 if image_size is not None and image_size <= SMALL else 3)

    def default_views(self, image_size: int | None) -> Views:
        """The image, then the jigsaw: cells of 85 and patches of 64 pixels at 224, in proportion elsewhere.

        The jigsaw is cut from a crop a little larger than the image (255 for 224); up to 64 pixels from one of its size.
        """
        grid = self.cells(image_size)
        side = 255 if image_size is None else image_size if image_size <= SMALL else round(image_size * 255 / 224)
        cell = max(2, side // grid)
        jigsaw = Jigsaw(grid=grid, cell=cell, patch=max(1, round(cell * 64 / 85)))
        image = Augmentation(scale=(0.08, 1.0), jitter=(0.4, 0.4, 0.4, 0.2), blur=0.0)
        return Views(augmentations=(image,), jigsaw=jigsaw)

    def default_training(self) -> dict[str, Any]:
        """vissl's: 0.12 at batch 1024, a cosine to a thousandth of it, no decay on norms and biases."""
        return {"lr_per_256": 0.03, "decay_norm_and_bias": False, "final_lr_share": 0.001}

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        if isinstance(encoder, ViT):
            raise ValueError(
                "encoder vit takes images of one size, and PIRL shows it whole images and patches; use resnet"
            )
