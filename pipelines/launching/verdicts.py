"""Why Slurm ended the earlier attempts of a job: more memory helps one that ran out of it, and no other.

The executor plugin runs a rule in a step of its job. What a step does wrong makes the job FAILED, and its running out of
memory stands in the job's log alone.
"""

import contextlib
import functools
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

Cause = Literal["OUT_OF_MEMORY", "TIMEOUT"]
QUEUE = ("squeue", "--me", "--states=all", "--noheader", "--format=%i|%T|%k")
"""Slurm's number, state and comment of a user's jobs, of those too that ended less than MinJobAge ago."""
OUT_OF_MEMORY_IN_A_STEP = re.compile(r"slurmstepd\S*: error: Detected \d+ oom[-_]kill event")
"""What Slurm writes into a job's log where the system killed a process of a step that had reached its memory limit."""


def factor(cause: Cause, comment: str, attempt: int) -> int:
    """What to multiply a request by: 1, and 1 more for every earlier attempt that ended for this cause.

    comment   what the executor plugin writes into every job of a rule and its wildcards
    attempt   from 1; ask at the start of each, while Slurm still shows the one before
    """
    return 1 + sum(verdict(comment, later) == cause for later in range(2, attempt + 1))


@functools.cache
def verdict(comment: str, attempt: int) -> str:
    """How the attempt before this one ended, as Slurm's state; empty where Slurm does not say."""
    number, state = latest(_answer(*QUEUE), comment)
    return "OUT_OF_MEMORY" if state == "FAILED" and _step_ran_out_of_memory(number) else state


def latest(listed: str, comment: str) -> tuple[int, str]:
    """The number and state of the youngest job with this comment; 0 and an empty state where there is none."""
    rows = [line.split("|", 2) for line in listed.splitlines() if line.count("|") >= 2]
    states = {int(number): state for number, state, text in rows if text == comment and number.isdecimal()}
    return max(states.items(), default=(0, ""))


def _step_ran_out_of_memory(number: int) -> bool:
    told = re.search(r"^ *StdOut=(.+)$", _answer("scontrol", "show", "job", str(number)), re.MULTILINE)
    if told:
        with contextlib.suppress(OSError):  # deleted, or on a disk that this machine does not see
            return bool(OUT_OF_MEMORY_IN_A_STEP.search(Path(told[1]).read_text(errors="replace")))
    return False


def _answer(*command: str) -> str:
    """What a command of Slurm prints; nothing where it fails or does not answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def grown(
    cause: Cause, rule: str, asked: Callable[[object], int], most: int | None = None
) -> Callable[[object, int], int]:
    """A function of wildcards and attempt, as Snakemake takes it for a resource: what was asked, times ``factor``.

    most: what may be asked for; none: anything.
    """

    def resource(wildcards: object, attempt: int) -> int:
        comment = f"rule_{rule}_wildcards_{'_'.join(map(str, wildcards))}"  # type: ignore[call-overload]
        wanted = asked(wildcards) * factor(cause, comment, attempt)
        return wanted if most is None else min(wanted, most)

    return resource
