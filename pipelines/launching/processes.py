"""The process group of a job that torchrun started, and how many threads a process may take."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from typing import NoReturn

import torch
import torch.distributed as dist

from pipelines import distributed
from pipelines.errors import BadResult, EnvironmentFault, InputError, Problem

LEAST = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1, "MASTER_PORT": 1}
"""Whole numbers that torchrun sets, and the least that each can be."""
GROUP = (*LEAST, "MASTER_ADDR", "TORCHELASTIC_RUN_ID")
"""What torchrun sets for each of its processes."""


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """Join the group that torchrun's environment describes and leave it at the end; nothing without torchrun.

    After an error the process ends at once where GPUs talk by NCCL: it leaves a group only together with all others, and
    these wait for what this one will never send. torchrun ends them.
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
    except BaseException as error:
        if dist.get_backend() == "nccl" and dist.get_world_size() > 1:
            end_at_once(error)
        dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def end_at_once(error: BaseException) -> NoReturn:
    """Say what went wrong, and end this process without its usual farewell."""
    code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def leave_others(error: Problem) -> None:
    """SystemExit after an error that perhaps only this one of several processes has met, which cannot go on beside them.

    What is wrong with the input is wrong for all of them, and so is a result; a file may be damaged for one of them.
    """
    shared = isinstance(error, InputError | BadResult) and not isinstance(error, EnvironmentFault)
    if distributed.world_size() > 1 and not shared:
        raise SystemExit(1) from error
