"""The device that a process works on."""

import torch

from pipelines import distributed


def chosen_device() -> torch.device:
    """The GPU of this process, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", distributed.rank() % torch.cuda.device_count())


def device_name(device: torch.device) -> str | None:
    """The GPU's name; none for the CPU, which records name themselves."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None
