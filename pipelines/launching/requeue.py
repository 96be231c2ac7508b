"""A job that Slurm will end soon puts itself back into the queue: in the grace time of a preemption, and at its time limit.

Slurm signals a job that it preempts in a partition with a ``GraceTime`` and leaves it running for that time. If the job saves
and ends meanwhile, Slurm counts it as failed and does not requeue it. The same holds for a job that is signalled ahead of its
time limit (``--signal=TERM@120``). So the job asks for that itself. It keeps its number, the controller sees a job that waits,
and no retry is used up: a training of any length goes on from checkpoint to checkpoint in pieces that a partition allows.
"""

import os
import re
import subprocess
from datetime import datetime
from typing import Literal

Reason = Literal["preempted", "at its time limit"]
SECONDS = 10
"""How long a Slurm command may take: the grace time runs."""
NEAR = 600.0
"""Seconds before its end in which a signal is taken for the one that Slurm sends ahead of it."""


def requeued() -> Reason | None:
    """Why this process's job was put back into the queue; None where it was not.

    Slurm ends all processes of the job soon after. Nothing is done outside of Slurm, for a job with time left that nobody
    preempts, and where Slurm takes the job away by itself (without a GraceTime or an early signal it is no longer RUNNING).
    Ask only after a checkpoint of this attempt: a job without progress would come back for ever.
    """
    job = os.environ.get("SLURM_JOB_ID")
    why = ending(_slurm("scontrol", "show", "job", job), datetime.now()) if job else None
    return why if why and job and _slurm("scontrol", "requeue", job) is not None else None


def ending(told: str | None, now: datetime) -> Reason | None:
    """Why the running job of which ``scontrol show job`` tells ends soon. now: local time, as Slurm's."""
    fields = dict(re.findall(r"(\w+)=(\S*)", told or ""))
    if fields.get("JobState") != "RUNNING":
        return None
    if fields.get("PreemptTime", "None") != "None":
        return "preempted"
    try:
        left = (datetime.fromisoformat(fields.get("EndTime", "Unknown")) - now).total_seconds()
    except ValueError:  # no limit
        return None
    return "at its time limit" if left < NEAR else None


def _slurm(*command: str) -> str | None:
    """What a command of Slurm prints; None where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return None
