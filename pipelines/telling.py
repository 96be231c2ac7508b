"""What stages say of the jobs they work on, line by line; a rule of the workflow puts it into the job's log."""

import time
from collections.abc import Iterable
from pathlib import Path

from pipelines.durations import duration


def say(job: Path, text: str, about: str = "") -> None:
    """A line about the job of a folder (results/jobs/STAGE/KEY): when, stage, key, text. At once, whatever comes after.

    about: the part of it that the line is about.
    """
    stage, key = job.absolute().parts[-2:]
    where = f"{key}: {about}" if about else key
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {stage} {where}: {text}", flush=True)


def written(seconds: float, artifacts: Iterable[str], record: str) -> str:
    """The last line of a job: what it took, and what it left, the record last as it was written."""
    return f"done in {duration(seconds)}; written: {', '.join([*artifacts, record])}"
