"""Which number type the passes through the network run in."""

import torch


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype:
    """bfloat16 where it was asked for, or where ``auto`` finds hardware for it; else float32."""
    if precision == "auto":
        native = _gpu_has_bfloat16() if device.type == "cuda" else _cpu_has_bfloat16()
        return torch.bfloat16 if native else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def _gpu_has_bfloat16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=False)  # a V100 emulates it, and slowly


def _cpu_has_bfloat16() -> bool:
    return torch.ops.mkldnn._is_mkldnn_bf16_supported() and torch.cpu._is_avx512_bf16_supported()
