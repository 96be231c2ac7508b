"""Why Slurm ended the earlier attempts of a job: more memory helps one that ran out of it, and no other."""

import functools
import subprocess
from collections.abc import Callable
from typing import Literal

Cause = Literal["OUT_OF_MEMORY", "TIMEOUT"]
QUEUE = ("squeue", "--me", "--states=all", "--noheader", "--format=%i|%T|%k")
"""Slurm's number, state and comment of a user's jobs, of those too that ended less than MinJobAge ago."""


def factor(cause: Cause, comment: str, attempt: int) -> int:
    """What to multiply a request by: 1, and 1 more for every earlier attempt that ended for this cause.

    comment   what the executor plugin writes into every job of a rule and its wildcards
    attempt   from 1; ask at the start of each, while Slurm still shows the one before
    """
    return 1 + sum(verdict(comment, later) == cause for later in range(2, attempt + 1))


@functools.cache
def verdict(comment: str, attempt: int) -> str:
    """How the attempt before this one ended, as Slurm's state; empty where Slurm does not say."""
    try:
        listed = subprocess.run(QUEUE, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return latest(listed, comment)


def latest(listed: str, comment: str) -> str:
    """The state of the youngest job with this comment."""
    rows = [line.split("|", 2) for line in listed.splitlines() if line.count("|") >= 2]
    states = {int(number): state for number, state, text in rows if text == comment and number.isdecimal()}
    return states[max(states)] if states else ""


def grown(cause: Cause, rule: str, asked: Callable[[object], int]) -> Callable[[object, int], int]:
    """A function of wildcards and attempt, as Snakemake takes it for a resource: what was asked, times ``factor``."""

    def resource(wildcards: object, attempt: int) -> int:
        comment = f"rule_{rule}_wildcards_{'_'.join(map(str, wildcards))}"  # type: ignore[call-overload]
        return asked(wildcards) * factor(cause, comment, attempt)

    return resource
