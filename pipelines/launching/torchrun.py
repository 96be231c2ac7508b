"""The command that starts a stage in several processes: torchrun, on one node or on those of a Slurm allocation."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.lease import hand_over

SAVING_SECONDS = 120
"""How long torchrun waits for its processes after it has passed a signal on; by itself it kills them after 30."""


def launched() -> bool:
    """Whether this process was started by torchrun."""
    return "RANK" in os.environ


def become_launcher(stage: str, jobs: Sequence[Path], processes: int, nodes: int) -> None:
    """Start the processes in place of this one, so that a scheduler's SIGTERM reaches the launcher. Does not return.

    The leases of the jobs are taken before, since the processes of a group cannot wait for long, and handed over.
    """
    hand_over(jobs)
    command = launcher(stage, jobs, processes, nodes)
    os.execvp(command[0], command)


def launcher(stage: str, jobs: Sequence[Path], processes: int, nodes: int) -> list[str]:
    """The command that starts ``processes`` of a stage, evenly over ``nodes``.

    One node: torchrun. Several: Slurm's srun starts one torchrun a node, and they meet at the first host of the
    allocation, at a port made from the job id. InputError when the processes cannot be shared evenly.
    """
    if processes % nodes:
        raise InputError(f"--processes {processes} cannot be shared evenly by --nodes {nodes}; choose a multiple")
    run = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes // nodes}"]
    run += [f"--shutdown-timeout={SAVING_SECONDS}"]
    work = ["-m", "pipelines", stage, "--job", *map(str, jobs)]
    if nodes == 1:
        return [*run, "--standalone", *work]
    meet = '--rdzv-endpoint="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):$((20000 + SLURM_JOB_ID % 20000))"'
    inside = f"exec {shlex.join([*run, f'--nnodes={nodes}', '--rdzv-backend=c10d'])} {meet} {shlex.join(work)}"
    return ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "bash", "-c", inside]
