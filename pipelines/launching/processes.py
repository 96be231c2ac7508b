"""The process group of a job that torchrun started, and how many threads a process may take."""

import contextlib
import os
from collections.abc import Iterator

import torch
import torch.distributed as dist

from pipelines.errors import EnvironmentFault

LEAST = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1, "MASTER_PORT": 1}
"""Whole numbers that torchrun sets, and the least that each can be."""
GROUP = (*LEAST, "MASTER_ADDR", "TORCHELASTIC_RUN_ID")
"""What torchrun sets for each of its processes."""


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """Join the group that torchrun's environment describes and leave it at the end; nothing without torchrun.

    EnvironmentFault where RANK is left of another tool: without a torchrun behind it, the processes it counts never come.
    """
    if "RANK" not in os.environ:
        yield
        return
    if lacking := [name for name in GROUP if not os.environ.get(name)]:
        raise EnvironmentFault(
            f"the environment has RANK and not {', '.join(lacking)}: another tool left it, and no process group is there to "
            "join; unset RANK (pipelines starts torchrun itself, by --processes), or start this by torchrun"
        )
    for name, least in LEAST.items():
        if not (os.environ[name].isdecimal() and int(os.environ[name]) >= least):
            raise EnvironmentFault(
                f"the environment has {name}={os.environ[name]}, which must be a whole number from {least}: another tool set "
                "it; unset it, and start this by --processes or by torchrun, which sets its own"
            )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()
