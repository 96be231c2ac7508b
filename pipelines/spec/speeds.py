"""How long trainings will take, by the records of earlier ones in the same results folder."""

import itertools
import math
import time
from collections.abc import Iterable
from pathlib import Path

from pipelines.machine import GPU_MEMORY
from pipelines.records import Record, read_record
from pipelines.spec.job import Job
from pipelines.spec.jobs import JobSpec, PretrainSpec
from pipelines.spec.price import Prices

MOST = 9
"""Finished trainings of a network whose records are read."""
AGAIN = 60.0
"""Seconds after which finished trainings of a network are looked for again, while fewer than ``MOST`` are known: Snakemake asks
for every one of thousands of jobs, and each look goes through all that are alike."""
Network = tuple[str, str]


class Speeds:
    """Speeds of trainings, learned from what is finished when it is asked."""

    def __init__(self, jobs: Iterable[Job], results: Path) -> None:
        self._results = results
        self._alike: dict[Network, list[Job]] = {}
        self._found: dict[Network, tuple[float, list[tuple[JobSpec, Record]]]] = {}
        for job in jobs:
            if isinstance(job.spec, PretrainSpec):
                self._alike.setdefault(_network(job.spec), []).append(job)

    def minutes(self, specs: Iterable[JobSpec], gpus: int) -> float | None:
        """Of these jobs one after the other on so many GPUs, or on a CPU; None where one of them is no training, or none of
        its method and encoder was measured on such a machine.

        Images a second are taken as the same whatever the number of epochs, and as growing with the number of GPUs.
        """
        found = [self._seconds(spec, gpus) if isinstance(spec, PretrainSpec) else None for spec in specs]
        known = [seconds for seconds in found if seconds is not None]
        return sum(known) / 60 if found and len(known) == len(found) else None

    def _seconds(self, spec: PretrainSpec, gpus: int) -> float | None:
        records = self._records(_network(spec))
        suited = [
            (other, _on(record, gpus)) for other, record in records if (GPU_MEMORY in record.derived) == (gpus > 0)
        ]
        price = Prices(suited).price(spec)
        return None if price.source == "assumed" else price.seconds

    def _records(self, network: Network) -> list[tuple[JobSpec, Record]]:
        """Of finished trainings, as they were at the last look."""
        looked, found = self._found.get(network, (-math.inf, []))
        if len(found) < MOST and time.monotonic() - looked >= AGAIN:
            done = (job for job in self._alike.get(network, ()) if job.done(self._results))
            found = [(job.spec, read_record(job.folder(self._results))) for job in itertools.islice(done, MOST)]
            self._found[network] = time.monotonic(), found
        return found


def _network(spec: PretrainSpec) -> Network:
    """What trainings share whose speeds tell of each other, given their work."""
    return spec.method.use, spec.encoder.model_dump_json()


def _on(record: Record, gpus: int) -> Record:
    """The record as if it had been made with so many processes."""
    processes = record.derived.get("processes") or 1
    assert isinstance(processes, int)
    return record.model_copy(update={"seconds": record.seconds * processes / max(1, gpus)})
