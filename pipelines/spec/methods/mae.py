"""Options of MAE."""

from typing import Any, Literal

from pydantic import Field

from pipelines.spec.base import Count
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.base import Encoder, MethodOptions, Passes
from pipelines.spec.training import Training
from pipelines.spec.views import Augmentation, Views


class Options(MethodOptions):
    """MAE (He et al. 2021, arXiv:2111.06377). It needs a ViT; the paper's has fixed positions (position: sincos)."""

    use: Literal["mae"] = "mae"
    mask_ratio: float = Field(default=0.75, gt=0, lt=1)
    """Share of the patches that the encoder does not see; L x (1 - mask_ratio) of L patches, cut off, stay visible."""
    norm_pix: bool = True
    """Rebuild each patch's pixels less their mean over their deviation (the paper's better variant); else plain pixels."""
    decoder_width: Count = 512
    """Size of a token in the decoder: a multiple of its heads, and of 4."""
    decoder_depth: Count = 8
    """Blocks of the decoder; 1 fine-tunes as well and is worse for linear probes (table 1a)."""
    decoder_heads: Count = 16

    def own_encoder(self, encoder: Encoder) -> bool:
        return True

    def default_views(self, image_size: int | None) -> Views:
        """One view: a bicubic random resized crop and flip, nothing else."""
        return Views(
            augmentations=(
                Augmentation(scale=(0.2, 1.0), interpolation="bicubic", jitter_prob=0.0, grayscale=0.0, blur=0.0),
            )
        )

    def default_training(self) -> dict[str, Any]:
        """AdamW, decay not on norms and biases, 40 epochs of warm-up (table 8)."""
        return {
            "optimizer": "adamw",
            "betas": (0.9, 0.95),
            "lr_per_256": 1.5e-4,
            "weight_decay": 0.05,
            "decay_norm_and_bias": False,
            "warmup_epochs": 40.0,
        }

    def passes(self, encoder: Encoder, views: Views, side: int) -> Passes:
        """The encoder sees the visible patches only, the decoder all of them."""
        (kind,) = views.kinds
        pixels = kind.size or side
        patch = encoder.patch if isinstance(encoder, ViT) else 16
        patches, width = (pixels // patch) ** 2, self.decoder_width
        decoder = self.decoder_depth * (12 * width**2 * patches + 2 * patches**2 * width) / 1e9
        return Passes((1 - self.mask_ratio) * encoder.forward_gflops(pixels) + decoder)

    def check(self, training: Training, encoder: Encoder, num_samples: int | None) -> None:
        if not isinstance(encoder, ViT):
            raise ValueError(
                f"mae leaves patches out, which a {encoder.use} cannot; give it a vit, "
                "e.g. encoder: {use: vit, size: small, patch: 4, position: sincos} in the method's entry"
            )
        if encoder.drop_path:
            raise ValueError(
                f"encoder.drop_path {encoder.drop_path:g}: MAE pretrains without; leave it out (fine-tuning may have it)"
            )
        for rule, divisor in (("decoder_heads", self.decoder_heads), ("4, for its position code", 4)):
            if self.decoder_width % divisor:
                raise ValueError(
                    f"decoder_width {self.decoder_width} must be a multiple of {rule} ({divisor}); "
                    f"{max(1, self.decoder_width // divisor) * divisor} would do"
                )
