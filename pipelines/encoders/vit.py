"""Vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929): pre-norm blocks over patches and a class token.

LayerNorm with eps 1e-6, exact GELU, queries, keys and values from one matrix, as DeiT, DINO, MAE and MoCo v3 have it.
Parameter names are those of timm and DINO, so that published checkpoints load strictly once their heads are dropped.
Fixed positions put the column first, as MAE does; MoCo v3's put the row first: the same code of the transposed image.
"""

import importlib
import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.encoders import positions
from pipelines.encoders.base import Encoder, EncoderBlock
from pipelines.errors import InputError
from pipelines.spec.encoders.vit import SIZES, Options


class PatchEmbed(nn.Module):
    """One linear projection of every patch, as a strided convolution."""

    def __init__(self, width: int, patch: int, in_channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, width, patch, patch)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, L, width), patches row by row."""
        return self.proj(images).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention, scores scaled by 1 / sqrt(width / heads)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) -> (N, T, width)."""
        N, T, width = x.shape
        q, k, v = self.qkv(x).view(N, T, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v)  # (N, heads, T, width / heads)
        return self.proj(x.transpose(1, 2).reshape(N, T, width))


class MLP(nn.Module):
    """Two linear layers with the exact (erf) GELU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(EncoderBlock):
    """Attention and MLP, each behind a LayerNorm and beside a shortcut. MAE's decoder is made of these too.

    drop: what both branches pass, nothing unless ``drop_path`` sets it.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width, round(width * mlp_ratio))
        self.drop: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) -> (N, T, width)."""
        x = x + self.drop(self.attn(self.norm1(x)))
        y: Tensor = x + self.drop(self.mlp(self.norm2(x)))
        return y


class ViT(Encoder):
    """A vision transformer for square images of ``image_size`` pixels; others get resized positions.

    width, depth, heads  size of a token, number of blocks, attention heads (width must be a multiple)
    patch                side of a patch; must divide image_size, and the sides of every image (InputError)
    position             learnt, or fixed sine-cosine
    pool                 the pooled feature: the class token, or the mean of the patch tokens, after the final LayerNorm
    resize               how learnt positions fit another grid: by its size, or by the scale factor (n + 0.1) / g of
                         DINO's released code (1 to 2 per cent off in the coordinates; for its checkpoints)
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        patch: int,
        image_size: int,
        position: Literal["learnt", "sincos"] = "learnt",
        pool: Literal["token", "mean"] = "token",
        in_channels: int = 3,
        mlp_ratio: float = 4.0,
        resize: Literal["size", "scale"] = "size",
    ) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"encoder.heads: {heads} heads do not divide the width {width}")
        if image_size % patch:
            raise InputError(f"encoder.patch: {patch} does not divide the image size of {image_size} pixels")
        self.width, self.map_widths = width, (width,)
        self.patch, self.pool, self.resize = patch, pool, resize
        grid = image_size // patch
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        if position == "learnt":
            self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid**2, width))
        else:  # a buffer: in the checkpoint, but no optimizer or weight average can move it
            code = positions.sincos_2d(width, grid, grid, "column", class_token=True)
            self.register_buffer("pos_embed", code)
        self.patch_embed = PatchEmbed(width, patch, in_channels)
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        truncated_normal_(self)

    def tokens(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        """(N, C, H, W) -> (N, 1 + L, width), class token first, then the patches row by row, after the final LayerNorm.

        keep  (N, K) int64 patch numbers: only these are computed, in this order, and the result is (N, 1 + K, width).
        """
        if images.shape[-2] % self.patch or images.shape[-1] % self.patch:
            size = "x".join(str(side) for side in images.shape[-2:])
            raise InputError(f"encoder.patch: {self.patch} does not divide the sides of an image of {size} pixels")
        position = self.positions(images.shape[-2] // self.patch, images.shape[-1] // self.patch)
        x = self.patch_embed(images) + position[:, 1:]
        if keep is not None:
            x = x.gather(1, keep.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
        token = (self.cls_token + position[:, :1]).expand(x.shape[0], -1, -1)  # len would fix the batch in an ONNX file
        x = torch.cat([token.to(x.dtype), x], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def last_tokens(self, images: Tensor, count: int) -> list[Tensor]:
        """(N, C, H, W) -> what ``tokens`` gives of the last ``count`` blocks, the last one last, each after the final
        LayerNorm, as DINO reads them."""
        kept: list[Tensor] = []
        hooks = [
            block.register_forward_hook(lambda _, given, found: kept.append(found)) for block in self.blocks[-count:]
        ]
        try:
            self.tokens(images)
        finally:
            for hook in hooks:
                hook.remove()
        return [self.norm(x) for x in kept]

    def positions(self, rows: int, columns: int) -> Tensor:
        """(1, 1 + rows x columns, width): the position codes of a grid of patches, the class token's first."""
        if self.resize == "scale":
            return _resized_by_scale(self.pos_embed, rows, columns)
        return positions.resized(self.pos_embed, rows, columns)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, width), pooled as ``pool`` says."""
        tokens = self.tokens(images)
        return tokens[:, 0] if self.pool == "token" else tokens[:, 1:].mean(1)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """(N, C, H, W) -> the patch tokens as one (N, width, H / patch, W / patch) map."""
        grid = (images.shape[-2] // self.patch, images.shape[-1] // self.patch)
        return [self.tokens(images)[:, 1:].transpose(1, 2).unflatten(2, grid)]


def truncated_normal_(vit: nn.Module) -> None:
    """DeiT's and DINO's start: tokens and linear layers normal with sd 0.02 cut at 2 (absolute), biases 0.

    The patch projection is Xavier-uniform as the linear layer it is, as in MAE and MoCo v3.
    """
    for name, parameter in vit.named_parameters():
        if name.endswith(("cls_token", "pos_embed")):
            nn.init.trunc_normal_(parameter, std=0.02)
    for module in vit.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight.view(len(module.weight), -1))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def xavier_(vit: nn.Module) -> None:
    """MAE's and MoCo v3's start of linear layers: Xavier-uniform, with queries, keys and values as a matrix each."""
    for name, module in vit.named_modules():
        if isinstance(module, nn.Linear):
            parts = module.weight.chunk(3) if name.endswith("qkv") else (module.weight,)
            bound = math.sqrt(6 / sum(parts[0].shape))
            nn.init.uniform_(module.weight, -bound, bound)
            nn.init.zeros_(module.bias)


def _resized_by_scale(code: Tensor, rows: int, columns: int) -> Tensor:
    """Like ``positions.resized``, with the sampling points of a scale factor of (n + 0.1) / g, as DINO released it."""
    side = math.isqrt(code.shape[1] - 1)
    if (side, side) == (rows, columns):
        return code
    maps = code[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factors = ((rows + 0.1) / side, (columns + 0.1) / side)
    maps = F.interpolate(maps, scale_factor=factors, mode="bicubic", align_corners=False)
    assert maps.shape[-2:] == (rows, columns)
    return torch.cat([code[:, :1], maps.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def build(options: Options, image_size: int, in_channels: int = 3) -> ViT:
    """The encoder that the options describe, freshly initialised."""
    width, depth, heads = SIZES[options.size]
    made = ViT(
        width,
        depth,
        options.heads or heads,
        options.patch,
        image_size,
        options.position,
        options.pool,
        in_channels,
    )
    if options.drop_path:  # torchvision loads slowly
        importlib.import_module("pipelines.encoders.drop_path").set_drop_path(made, options.drop_path)
    return made
