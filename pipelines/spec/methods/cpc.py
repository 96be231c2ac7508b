"""Options of CPC."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipelines.spec.base import Count, Positive
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """CPC on images (van den Oord et al. 2018, arXiv:1807.03748). There is no official code."""

    use: Literal["cpc"] = "cpc"
    patch: Count | None = None
    """Side of a patch in pixels; none: a quarter of the image's (64 of 256, the paper's)."""
    stride: Count | None = None
    """Pixels from one patch to the next; none: half of ``patch``, which gives a grid of 7 x 7."""
    patch_crop: Positive = Field(default=60 / 64, le=1)
    """In training a random crop of this share of its side stands for each patch, with a border of zeros; 1: none."""
    steps: Count | None = None
    """K, how many rows ahead are predicted, each by a matrix of its own; none: 5, or as many as the grid has."""
    skip: int = Field(default=0, ge=0)
    """Rows left out below the context; Greedy InfoMax skips 1, which overlaps half of the context's own."""
    negatives: Literal["all", "sampled"] = "all"
    """all: every patch of the batch (CPC v2's pseudo-code). sampled: a few drawn ones (Greedy InfoMax)."""
    num_negatives: Count = 16
    """Patches drawn for each prediction, with negatives: sampled."""
    context_layers: Count = 5
    """Residual blocks of the context network, each of which looks one row further up."""
    hidden: Count = 256
    """Channels inside those blocks."""
    grey: bool = True
    """The encoder sees one grey channel, as in the paper; false: the three colours."""
    batch_norm: Literal["layer", "keep"] = "layer"
    """What the encoder's batch norm becomes. It tells the patches of one image apart by their common statistics, so it
    is replaced by layer norm over channels and places; keep only serves to show the leak."""

    @model_validator(mode="after")
    def _strided(self) -> Self:
        if self.patch is not None and self.stride is not None and self.stride > self.patch:
            raise ValueError(f"stride {self.stride} leaves gaps between patches of {self.patch} pixels; lower it")
        return self

    def own_encoder(self, encoder: Encoder) -> bool:
        return True

    def check_channels(self, channels: int) -> None:
        if self.grey and channels != 3:
            raise ValueError(
                f"grey: the luma of red, green and blue, and these images have {channels} channels; set grey: false"
            )

    def default_views(self, image_size: int | None) -> Views:
        """One random crop of 256 of 300 pixels, flipped; 64 of 96 (STL-10) from 48 to 127 pixels."""
        share = (64 / 96) ** 2 if image_size is not None and 48 <= image_size < 128 else (256 / 300) ** 2
        plain = {"jitter": (0.0, 0.0, 0.0, 0.0), "jitter_prob": 0.0, "grayscale": 0.0, "blur": 0.0}
        return Views(augmentations=(Augmentation(scale=(share, share), ratio=(1.0, 1.0)).model_copy(update=plain),))

    def default_training(self) -> dict[str, Any]:
        """Adam at a constant 2e-4."""
        return {
            "optimizer": "adam",
            "lr_per_256": 2e-4,
            "lr_scaling": "none",
            "weight_decay": 0.0,
            "schedule": "constant",
        }

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """Every patch passes by itself."""
        (kind,) = views.kinds
        pixels = kind.size or side
        patch = self.patch or max(1, pixels // 4)
        patches = ((pixels - patch) // (self.stride or max(1, patch // 2)) + 1) ** 2
        return Passes(patches * encoder.forward_gflops(patch))

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        if isinstance(encoder, ViT) and self.patch is not None and self.patch % encoder.patch:
            raise ValueError(
                f"patch {self.patch}: the encoder cuts it again into patches of {encoder.patch} pixels, of which it has "
                f"to be a multiple; {max(1, self.patch // encoder.patch) * encoder.patch} would do"
            )
