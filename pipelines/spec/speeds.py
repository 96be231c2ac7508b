"""How long jobs will take and how much memory, by the records of earlier ones in the same results folder."""

import itertools
import math
import time
from collections.abc import Iterable
from pathlib import Path

from pipelines.machine import GPU_MEMORY, HOST_MEMORY
from pipelines.records import FEATURE_SECONDS, TRAINING_SECONDS, Record, read_record
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec, JobSpec, PretrainSpec, RunSpec, TuneSpec
from pipelines.spec.price import Kind, Prices, kind_of
from pipelines.spec.resources import Earlier

MOST = 9
"""Finished jobs of a kin whose records are read."""
AGAIN = 60.0
"""Seconds after which finished jobs of a kin are looked for again, while fewer than ``MOST`` are known: Snakemake asks for
every one of thousands of jobs, and each look goes through all that are alike."""


class Speeds:
    """Times and memory of trainings, searches and evaluations, learned from what is finished when it is asked."""

    def __init__(self, jobs: Iterable[Job], results: Path) -> None:
        self._results = results
        self._alike: dict[Kind, list[Job]] = {}
        self._found: dict[Kind, tuple[float, list[tuple[JobSpec, Record]]]] = {}
        for job in jobs:
            if isinstance(job.spec, RunSpec | EvaluateSpec):
                self._alike.setdefault(_kin(job.spec), []).append(job)

    def earlier(self, specs: Iterable[JobSpec], gpus: int) -> Earlier:
        """What is known of these jobs one after the other in a process for each GPU, or on a CPU."""
        asked = list(specs)
        return Earlier(self.minutes(asked, gpus), self.memory(asked, gpus))

    def minutes(self, specs: Iterable[JobSpec], gpus: int) -> float | None:
        """Of these jobs one after the other on so many GPUs, or on a CPU; None where one of them is packing, or none of its
        kin was measured on such a machine.

        Images a second are taken as the same whatever the number of epochs, and as growing with the number of GPUs.
        """
        found = [self._seconds(spec, gpus) for spec in specs]
        known = [seconds for seconds in found if seconds is not None]
        return sum(known) / 60 if found and len(known) == len(found) else None

    def memory(self, specs: Iterable[JobSpec], gpus: int) -> float | None:
        """MiB of the host that one process of these jobs held at most; None where one of them is unknown, as for ``minutes``.

        A training tells of those on the same images, in the same views and batches, whatever their epochs.
        """
        found = [self._peak(spec, gpus) for spec in specs]
        known = [peak for peak in found if peak is not None]
        return max(known) if found and len(known) == len(found) else None

    def _seconds(self, spec: JobSpec, gpus: int) -> float | None:
        price = Prices((other, _on(record, gpus)) for other, record in self._suited(spec, gpus)).price(spec)
        return None if price.source == "assumed" else price.seconds

    def _peak(self, spec: JobSpec, gpus: int) -> float | None:
        suited = self._suited(spec, gpus)
        peaks = [record.derived.get(HOST_MEMORY) for other, record in suited if _held_alike(spec, other)]
        return max((float(peak) for peak in peaks if peak is not None), default=None)

    def _suited(self, spec: JobSpec, gpus: int) -> list[tuple[JobSpec, Record]]:
        """Of finished jobs of the same kin, on the same sort of machine."""
        found = self._records(_kin(spec)) if isinstance(spec, RunSpec | EvaluateSpec) else []
        return [(other, record) for other, record in found if _on_gpu(record) == (gpus > 0)]

    def _records(self, kin: Kind) -> list[tuple[JobSpec, Record]]:
        """Of finished jobs, as they were at the last look."""
        looked, found = self._found.get(kin, (-math.inf, []))
        if len(found) < MOST and time.monotonic() - looked >= AGAIN:
            done = (job for job in self._alike.get(kin, ()) if job.done(self._results))
            found = [(job.spec, read_record(job.folder(self._results))) for job in itertools.islice(done, MOST)]
            self._found[kin] = time.monotonic(), found
        return found


def _kin(spec: RunSpec | EvaluateSpec) -> Kind:
    """What jobs share whose times tell of each other: trainings and searches, given their work, method and encoder;
    evaluations all but the seed, and what their encoder costs."""
    if isinstance(spec, EvaluateSpec):
        return *kind_of(spec), f"{spec.forward_gflops:.6g}"
    return spec.stage, spec.method.use, spec.encoder.model_dump_json()


def _held_alike(one: JobSpec, other: JobSpec) -> bool:
    """Whether two jobs of a kin hold as much memory."""
    if not isinstance(one, RunSpec) or not isinstance(other, RunSpec):
        return True
    same_search = not isinstance(one, TuneSpec) or not isinstance(other, TuneSpec) or one.search == other.search
    epochs = {"epochs": one.training.epochs}
    same_training = one.training == other.training.model_copy(update=epochs)
    return same_search and same_training and (one.dataset, one.views) == (other.dataset, other.views)


def _on_gpu(record: Record) -> bool | None:
    """Where it was made; None of one that does not say: searches and evaluations of an earlier program."""
    told = record.stage == PretrainSpec.stage or HOST_MEMORY in record.derived
    return GPU_MEMORY in record.derived if told else None


def _on(record: Record, gpus: int) -> Record:
    """The record as if it had been made with so many processes, and with the features that it shared.

    The seconds of an evaluation are those of its last attempt.
    """
    told = {name: value for name, value in record.derived.items() if isinstance(value, int | float)}
    seconds = max(record.seconds, told.get(TRAINING_SECONDS, 0.0)) + told.get(FEATURE_SECONDS, 0.0)
    return record.model_copy(update={"seconds": seconds * (told.get("processes") or 1) / max(1, gpus)})
