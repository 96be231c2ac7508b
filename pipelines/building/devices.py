"""The device that a process works on."""

import os

import torch
import torch.distributed as dist

from pipelines import distributed
from pipelines.machine import GPU_MEMORY, HOST_MEMORY, cpu_name
from pipelines.machine import peak_memory as host_memory


def chosen_device() -> torch.device:
    """The GPU of this process, which a process group has made the current one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def device_with_room(needed: int) -> torch.device:
    """``chosen_device``, but the CPU where that is a GPU with fewer free bytes than ``needed``.

    What torch keeps for itself and does not use, as after embedding, is free.
    """
    device = chosen_device()
    if device.type == "cpu":
        return device
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return device if torch.cuda.mem_get_info(device)[0] + kept >= needed else torch.device("cpu")


def device_name(device: torch.device) -> str | None:
    """The GPU's name; none for the CPU, which records name themselves."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def device_told() -> str:
    """What this process works on, in words."""
    processes = distributed.world_size()
    share = f"{processes} processes, each on " if processes > 1 else ""
    if name := device_name(chosen_device()):
        return share + name
    threads = torch.get_num_threads()
    return f"{share}{cpu_name()}, {threads} thread{'' if threads == 1 else 's'}"


def peak_memory(device: torch.device) -> dict[str, float]:
    """MiB that this process has held at most since its start: of the host, and of its GPU by what torch has allocated there."""
    found = {HOST_MEMORY: round(host_memory(), 1)}
    if device.type == "cuda":
        found[GPU_MEMORY] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    return found


def data_workers(asked: int | None) -> int:
    """Decoding processes: as many as asked for, else one for each core that this process may use but one, 16 at most.

    The processes of one machine share its cores (LOCAL_WORLD_SIZE, which torchrun sets).
    """
    if asked is not None:
        return asked
    grouped = dist.is_available() and dist.is_initialized()
    beside = int(os.environ["LOCAL_WORLD_SIZE"]) if grouped else 1  # without a group it is left of another tool
    share = len(os.sched_getaffinity(0)) // beside
    return min(16, max(1, share - 1))
