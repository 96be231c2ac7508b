"""The numbers of a formula on a device, sent there once: a copy from a Python list makes the host wait for the device."""

import functools

import torch
from torch import Tensor

Values = tuple[float, ...] | tuple[bool, ...] | tuple[tuple[float, ...], ...]


@functools.lru_cache(maxsize=128)
def constant(values: Values, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """``values`` as a tensor that nobody may change."""
    return torch.tensor(values, dtype=dtype, device=device)
