"""Names of a vision transformer's weights: ours, which are timm's and DINO's, and torchvision's."""

import re
from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")

TABLE = (
    (r"^cls_token$", "class_token"),
    (r"^pos_embed$", "encoder.pos_embedding"),
    (r"^patch_embed\.proj\.(weight|bias)$", r"conv_proj.\1"),
    (r"^blocks\.(\d+)\.norm1\.(weight|bias)$", r"encoder.layers.encoder_layer_\1.ln_1.\2"),
    (r"^blocks\.(\d+)\.norm2\.(weight|bias)$", r"encoder.layers.encoder_layer_\1.ln_2.\2"),
    (r"^blocks\.(\d+)\.attn\.qkv\.(weight|bias)$", r"encoder.layers.encoder_layer_\1.self_attention.in_proj_\2"),
    (r"^blocks\.(\d+)\.attn\.proj\.(weight|bias)$", r"encoder.layers.encoder_layer_\1.self_attention.out_proj.\2"),
    (r"^blocks\.(\d+)\.mlp\.fc1\.(weight|bias)$", r"encoder.layers.encoder_layer_\1.mlp.0.\2"),
    (r"^blocks\.(\d+)\.mlp\.fc2\.(weight|bias)$", r"encoder.layers.encoder_layer_\1.mlp.3.\2"),
    (r"^norm\.(weight|bias)$", r"encoder.ln.\1"),
)
"""Our name as a pattern -> torchvision's."""
BACK = (
    (r"^class_token$", "cls_token"),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^conv_proj\.(weight|bias)$", r"patch_embed.proj.\1"),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.(weight|bias)$", r"blocks.\1.norm\2.\3"),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_(weight|bias)$", r"blocks.\1.attn.qkv.\2"),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.(weight|bias)$", r"blocks.\1.attn.proj.\2"),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:0|linear_1)\.(weight|bias)$", r"blocks.\1.mlp.fc1.\2"),
    (r"^encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:3|linear_2)\.(weight|bias)$", r"blocks.\1.mlp.fc2.\2"),
    (r"^encoder\.ln\.(weight|bias)$", r"norm.\1"),
)
"""torchvision's name as a pattern (its published files say linear_1 and linear_2) -> ours."""


def torchvisions(weights: Mapping[str, V]) -> dict[str, V]:
    """A vision transformer's weights under torchvision's names; the values are not copied."""
    return {_renamed(name, TABLE): value for name, value in weights.items()}


def ours(weights: Mapping[str, V]) -> dict[str, V]:
    """The same back; names that are not torchvision's stay."""
    return {_renamed(name, BACK): value for name, value in weights.items()}


def _renamed(name: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, other in table:
        if re.match(pattern, name):
            return re.sub(pattern, other, name)
    return name
