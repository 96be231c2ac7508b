"""Who works in a job's folder, and how the process ends that was asked to: the same for every stage that a launcher starts."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines import distributed
from pipelines.launching.requeue import requeued
from pipelines.launching.torchrun import launched
from pipelines.lease import Lease, leased
from pipelines.signals import Stop


@contextlib.contextmanager
def at_work(job: Path, done: bool, leases: Mapping[Path, Lease]) -> Iterator[Lease | None]:
    """The lease of a job's folder, for the one process that writes there; none where nothing is left to do.

    leases: those that a launcher took before and handed over to the first of its processes.
    """
    if done or launched():
        yield leases.get(job)
        return
    with leased(job) as lease:
        yield lease


def saved(told: Exception, stop: Stop) -> int:
    """The exit status of one that saved a checkpoint as it was asked to end; Slurm takes its job back where it can."""
    print(told, file=sys.stderr, flush=True)
    if distributed.rank() == 0 and (why := requeued()):
        print(f"{why}: put back into Slurm's queue", file=sys.stderr, flush=True)
    return stop.status
