"""Options of vision transformers."""

from typing import ClassVar, Literal

from pipelines.spec.base import Count, Share
from pipelines.spec.encoders.base import EncoderOptions, Telling

GFLOPS_196 = {"micro": 0.05, "tiny": 1.1, "small": 4.6, "base": 17.6, "large": 61.6}
"""Multiply-adds in billions of one forward pass over 196 patches."""

SIZES = {
    "micro": (64, 4, 4),
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
}
"""Size -> (width, blocks, heads)."""


class Options(EncoderOptions):
    """Dosovitskiy et al. 2021 (arXiv:2010.11929)."""

    use: Literal["vit"] = "vit"
    in_blocks: ClassVar[bool] = True
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

    @property
    def short_name(self) -> str:
        return f"vit_{self.size}{self.patch}"

    def telling(self) -> Telling:
        width, blocks, _ = SIZES[self.size]
        return {
            "patch_embed.proj.weight": (width, None, self.patch, self.patch),
            f"blocks.{blocks - 1}.attn.qkv.weight": (3 * width, width),
            f"blocks.{blocks}.attn.qkv.weight": None,
        }

    @property
    def feature_width(self) -> int:
        return SIZES[self.size][0]

    def forward_gflops(self, image_size: int) -> float:
        return GFLOPS_196[self.size] * (image_size / self.patch) ** 2 / 196
