"""How often a job was begun: a line for each attempt, kept until its record tells how many they were."""

import os
import socket
from pathlib import Path

from pipelines.errors import unwritten

FILE = "attempts.txt"


def begin(folder: Path, when: str) -> int:
    """Note an attempt (``when``, machine, process and Slurm's number of the job, where there is one); how many it makes."""
    path = folder / FILE
    slurm = f" Slurm job {os.environ['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in os.environ else ""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{when} process {os.getpid()} on {socket.gethostname()}{slurm}\n")
        return path.read_text(encoding="utf-8").count("\n")
    except OSError as error:
        raise unwritten(path, error) from error


def forget(folder: Path) -> None:
    """The record is written."""
    (folder / FILE).unlink(missing_ok=True)
