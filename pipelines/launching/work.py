"""Who works in a job's folder, and how the process ends that was asked to: the same for every stage that a launcher starts."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pipelines import distributed
from pipelines.launching.requeue import requeued
from pipelines.launching.torchrun import launched
from pipelines.lease import Lease, leased
from pipelines.signals import Stop
from pipelines.telling import say


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


def voice(job: Path, about: str = "") -> Callable[[str], None]:
    """Says lines about a job, or about a part of it, into its log: of several processes the first one does."""
    return partial(say, job, about=about) if distributed.rank() == 0 else lambda _: None


def saved(job: Path, told: Exception, stop: Stop) -> int:
    """The exit status of one that saved a checkpoint as it was asked to end; Slurm takes its job back where it can."""
    tell = voice(job)
    tell(str(told))
    if distributed.rank() == 0 and (why := requeued()):
        tell(f"{why}: put back into Slurm's queue")
    return stop.status
