"""Units: the jobs that one process does one after the other, so that small ones do not each pay for a start.

Starting Python with torch takes seconds; a protocol on features a few tenths of one, a small pretraining half a minute.
A unit leaves the records that its jobs would leave one by one: each resumes, fails and counts by itself.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from pipelines.files import digest
from pipelines.records import read_record
from pipelines.spec.job import INPUT_STAGE, Job
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.layout import job_folder, record_file
from pipelines.spec.resources import CORE_GFLOPS, NOTHING_KNOWN, Resources, resources, shared_by, work
from pipelines.spec.speeds import Speeds

SECONDS = 60.0
"""Training jobs of less estimated work than this on one core share a process, up to this together."""
ENCODERS = 4
"""Encoders whose frozen protocols share a process."""


@dataclass(frozen=True)
class Unit:
    """Jobs of one stage for one process, in order."""

    stage: str
    name: str
    jobs: tuple[Job, ...]

    @classmethod
    def of(cls, jobs: list[Job]) -> "Unit":
        """The unit of these jobs; its name is the job's key, or the first key and a digest of all."""
        keys = [job.key for job in jobs]
        name = keys[0] if len(keys) == 1 else f"{keys[0]}.{len(keys)}-{digest(keys, 4)}"
        return cls(jobs[0].stage, name, tuple(jobs))

    def command(self, results: Path) -> str:
        """The line a person would type."""
        folders = [str(job.folder(results)) for job in self.jobs]
        return shlex.join(["python", "-m", "pipelines", self.stage, "--job", *folders])

    def resources(
        self,
        gpus: int,
        results: Path,
        speeds: Speeds | None = None,
        known: Mapping[str, int] | None = None,
        workers: int = 1,
    ) -> Resources:
        """What it asks of a cluster, when a training gets so many GPUs; by the images that were packed, once they are.

        speeds: by what such jobs took, once some are done. known: key of shards -> images of train, by which it asks
        before they are packed. workers: processes that share a search.
        """
        counted, specs = self._counted(results, known or {}), [job.spec for job in self.jobs]
        gpus = self.processes(gpus, results)
        return resources(specs, gpus, counted, speeds.earlier(specs, gpus) if speeds else NOTHING_KNOWN, workers)

    def processes(self, gpus: int, results: Path) -> int:
        """How many of ``gpus``, one a process, it takes: all for a training, be it in an evaluation; else one at most."""
        counted = self._counted(results, {})
        return min(gpus, *(shared_by(job.spec, gpus, counted) for job in self.jobs))

    def _counted(self, results: Path, known: Mapping[str, int]) -> int | None:
        """Images of train, where shards have been packed or are known; the most of several data sets."""
        shards = {key for job in self.jobs if (key := job.inputs.get("shards"))}
        packed = [job_folder(results, "shards", key) for key in shards if record_file(results, "shards", key).exists()]
        counts = [read_record(folder).metrics.get("data/train") for folder in packed] or map(known.get, shards)
        return max((int(count) for count in counts if count), default=None)

    def needs(self) -> set[tuple[str, str]]:
        """(stage, key) of the jobs of other units that have to be finished before."""
        own = {job.place for job in self.jobs}
        return {(INPUT_STAGE[name], key) for job in self.jobs for name, key in job.inputs.items()} - own


def units(jobs: Iterable[Job]) -> list[Unit]:
    """The jobs as units, in the order of the jobs: what is small is packed, everything else stays alone.

    The rule: training jobs of the same data set whose estimated work on one core is under ``SECONDS`` go together as
    long as their sum is; protocols on frozen features go together by encoder, ``ENCODERS`` encoders a unit.

    The exception: evaluations of pretrainings that are still to run in processes of their own stay apart, however short they
    are. A unit starts when all its inputs are there, so together they would wait for the slowest training, and one that
    fails would leave the others unmeasured. That is minutes to days for a start of seconds (docs/cluster.md). Once the
    pretrainings are done nothing is waited for, and their evaluations go together.
    """
    packs: dict[tuple[str, ...], list[Job]] = {}
    pack_of: dict[tuple[str, str], int] = {}
    found: list[list[Job]] = []
    for job in jobs:
        kind = _kind(job, pack_of)
        pack = packs.get(kind) if kind else None
        if pack is None or not _fits(pack, job):
            pack = []
            found.append(pack)
            if kind:
                packs[kind] = pack
        pack.append(job)
        pack_of[job.place] = id(pack)
    return _runnable([Unit.of(pack) for pack in found])


def _runnable(found: list[Unit]) -> list[Unit]:
    """The units in an order in which each comes after those it needs."""
    maker = {job.place: unit for unit in found for job in unit.jobs}
    sorter: TopologicalSorter[Unit] = TopologicalSorter()
    for unit in found:
        sorter.add(unit, *(maker[place] for place in unit.needs() if place in maker))
    return list(sorter.static_order())


def _kind(job: Job, pack_of: dict[tuple[str, str], int]) -> tuple[str, ...] | None:
    """What jobs must share to run in one process; none: the job runs alone.

    Evaluations go together when their pretrainings do, so that none waits for, or fails with, a stranger.
    """
    spec, shards = job.spec, job.inputs.get("shards", "")
    if isinstance(spec, EvaluateSpec) and not spec.evaluation.on_images:
        trained_in = pack_of.get(("pretrain", job.inputs.get("weights", "")))
        return "evaluate", shards, spec.source.use, str(trained_in)
    if job.stage == "pretrain" and seconds(job) < SECONDS:
        return "pretrain", shards, job.inputs.get("best", "")
    return None


def _fits(pack: list[Job], job: Job) -> bool:
    if isinstance(job.spec, EvaluateSpec):
        return len({_features_of(each) for each in (*pack, job)}) <= ENCODERS
    return sum(map(seconds, pack)) + seconds(job) <= SECONDS


def _features_of(job: Job) -> str:
    assert isinstance(job.spec, EvaluateSpec)
    return job.spec.features_key(job.inputs)


def seconds(job: Job) -> float:
    """Estimated seconds of training on one core."""
    return work(job.spec) / CORE_GFLOPS
