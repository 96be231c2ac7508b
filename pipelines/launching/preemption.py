"""A job that Slurm preempts in a partition with a ``GraceTime``.

Slurm signals such a job and leaves it running for the grace time. If it saves and ends in that time, Slurm counts it as failed
and does not requeue it. So it asks for that itself, which also frees the node at once.
"""

import os
import re
import subprocess

SECONDS = 10
"""How long a Slurm command may take: the grace time runs."""


def requeued() -> bool:
    """Whether this process ran in a job that Slurm was preempting, and that it has put back into the queue.

    Slurm ends all processes of the job soon after. Nothing is done outside of Slurm, for a job that is not preempted, and
    where Slurm takes the job away by itself (without a GraceTime it is no longer RUNNING).
    """
    job = os.environ.get("SLURM_JOB_ID")
    if not job or not preempted(_slurm("scontrol", "show", "job", job)):
        return False
    return _slurm("scontrol", "requeue", job) is not None


def preempted(told: str | None) -> bool:
    """Whether ``scontrol show job`` tells of a running job whose grace time has begun."""
    fields = dict(re.findall(r"(\w+)=(\S*)", told or ""))
    return fields.get("JobState") == "RUNNING" and fields.get("PreemptTime", "None") != "None"


def _slurm(*command: str) -> str | None:
    """What a command of Slurm prints; None where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return None
