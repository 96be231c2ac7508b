"""Fully sharded data parallel (FSDP2): every process keeps a share of a ViT's weights, gradients and optimizer state.

A block's weights are put together before it runs and dropped after it, in either direction, and its gradients arrive as the
mean over processes, a share in each. Targets that are moving averages of such an encoder are cut alike, so that averaging goes
share by share. Heads stay whole and are averaged as ever. Imported only where it is asked for: torch's part takes a second.
"""

import warnings
from typing import cast

import torch
from torch import nn
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

from pipelines.encoders.base import Encoder
from pipelines.errors import InputError

CALLS = ("tokens", "feature_maps", "last_tokens")
"""Methods of a ViT, beside ``forward``, that need its weights."""


VIEW = "FSDP2-wrapped module .* returned a view tensor"
"""A warning of in-place changes to what an encoder gives: methods make none, as a test of their gradients shows."""


def shard_encoders(method: nn.Module) -> None:
    """Cut the ViTs of ``method`` over all processes, block by block."""
    warnings.filterwarnings("ignore", VIEW)
    encoders = [part for part in method.modules() if isinstance(part, Encoder) and hasattr(part, "blocks")]
    if not encoders:
        raise InputError("training.shard_encoder: only a ViT is sharded; leave it out for this encoder")
    for encoder in encoders:
        encoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # shares are of rows
        for block in cast(nn.ModuleList, encoder.blocks):
            fully_shard(block, reshard_after_forward=True)
        fully_shard(encoder, reshard_after_forward=True)
        for name in CALLS:
            register_fsdp_forward_method(encoder, name)
