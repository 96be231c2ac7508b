"""What a benchmark measures on: the processor or a GPU, the same for all sides, with its clock and its memory.

On the processor time is that of the processor, where a script says so. A GPU works behind the program: the clock is read when
it has done all that it was given, before the first step that counts and after the last.
"""

import argparse
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, get_args

import torch

from pipelines.building.devices import device_name
from pipelines.machine import peak_memory

Name = Literal["cpu", "cuda"]


def device_option(parser: argparse.ArgumentParser) -> None:
    """Let the caller choose the device."""
    parser.add_argument("--device", choices=get_args(Name), default="cpu", help="what all sides run on (default: cpu)")


def checked(name: str) -> str:
    """The device that was asked for, once it is sure that all sides get it; SystemExit for a GPU where there is none.

    The trainer takes a GPU wherever it finds one. So where the processor is asked for, GPUs are hidden from this process and
    its children. Call it before anything asks CUDA.
    """
    if name == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif not torch.cuda.is_available():
        raise SystemExit(f"--device {name}: torch finds no GPU on this machine, so nothing was measured.")
    return name


def device_of(name: str) -> torch.device:
    """The device itself; of several GPUs the first."""
    return torch.device("cuda", 0) if name == "cuda" else torch.device(name)


def gpu_of(name: str) -> str | None:
    """What the GPU is called; none for the processor, whose name every result has."""
    return device_name(device_of(name))


def result_name(script: str, device: str) -> str:
    """What a script's result is called: those of a GPU have names, files and tables of their own."""
    return f"{script}_gpu" if device == "cuda" else script


def settle(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def clock_of(device: torch.device) -> Callable[[], float]:
    """Seconds of the processor's time, which others' load does not lengthen; beside a GPU those of the clock."""
    return time.perf_counter if device.type == "cuda" else time.process_time


def rate(work: Callable[[], object], images: int, device: torch.device) -> Callable[[], float]:
    """Images a second of ``clock_of``; the device has done all of its work before the clock is read."""
    now = clock_of(device)

    def measured() -> float:
        settle(device)
        start = now()
        work()
        settle(device)
        return images / (now() - start)

    return measured


def in_bfloat16(device: torch.device, wanted: bool = True) -> AbstractContextManager[object]:
    """Autocast of the device's own type."""
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


class Memory:
    """MiB that a process has held at most, above what it holds when this is made: of its GPU, else of the host."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.before = torch.cuda.memory_allocated(device) / 2**20 if device.type == "cuda" else peak_memory()

    def peak(self) -> float:
        """So far; of a GPU what torch has allocated there."""
        on_gpu = self.device.type == "cuda"
        most = torch.cuda.max_memory_allocated(self.device) / 2**20 if on_gpu else peak_memory()
        return most - self.before
