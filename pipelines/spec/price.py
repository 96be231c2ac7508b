"""What jobs cost, in seconds of the machine that did the earlier ones, or by an estimate that says so."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pipelines.records import Record, read_record
from pipelines.spec.disk import has_small_images, left_bytes
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec, JobSpec, Pixels, RunSpec, ShardsSpec
from pipelines.spec.resources import CORE_GFLOPS, GPU_GFLOPS, PACKED, UNKNOWN, work

ASSUMED = 5.0
"""Seconds of a job that does not train, where no such job has been measured."""
MOST = 9
"""Finished jobs of a kind whose records are read: their median says what all of a large study's would."""
Source = Literal["measured", "scaled", "assumed"]
Kind = tuple[str, ...]
"""What jobs of the same work share."""


@dataclass(frozen=True)
class Price:
    """One job's wall-clock time.

    source  measured: the median of jobs that do the same work. scaled: from jobs of the same sort that do other work, by
            the work. assumed: by the built-in table, for one core of a CPU.
    """

    seconds: float
    source: Source


class Prices:
    """Prices by what was measured: the records of jobs, whatever study they belong to.

    counted: name of a data set -> its images of train, where planning knows no size of it
    """

    def __init__(self, done: Iterable[tuple[JobSpec, Record]], counted: Mapping[str, int] | None = None) -> None:
        self._counted = dict(counted or {})
        self._same: dict[Kind, list[float]] = {}
        self._rates: dict[tuple[str, ...], list[float]] = {}
        self._bytes: dict[tuple[str, ...], list[float]] = {}
        for spec, record in done:
            self.learn(spec, record)

    @classmethod
    def of(
        cls,
        jobs: Iterable[Job],
        results: Path,
        counted: Mapping[str, int] | None = None,
        others: Iterable[tuple[JobSpec, Record]] = (),
    ) -> Self:
        """Prices by the finished ones of these jobs, at most ``MOST`` of a kind.

        counted: images that no record tells. others: finished jobs of other studies.
        """
        prices, read = cls(others, counted), Counter[Kind]()
        for job in jobs:
            kind = kind_of(job.spec)
            if (isinstance(job.spec, ShardsSpec) or read[kind] < MOST) and job.done(results):
                read[kind] += 1
                prices.learn(job.spec, read_record(job.folder(results)))
        return prices

    def learn(self, spec: JobSpec, record: Record) -> None:
        """One more job is done; shards say how many images they hold."""
        if isinstance(spec, ShardsSpec) and (images := record.metrics.get("data/train")):
            self._counted[spec.dataset.short_name] = int(images)
        self._same.setdefault(kind_of(spec), []).append(record.seconds)
        self._rates.setdefault(_sort(spec), []).append(record.seconds / self._load(spec))
        if left := sum(fact.bytes for fact in record.files.values()) + (record.metrics.get("data/bytes") or 0):
            self._bytes.setdefault(_sized(spec), []).append(left / self._times(spec))

    def price(self, spec: JobSpec) -> Price:
        """Of a job with this spec."""
        if same := self._same.get(kind_of(spec)):
            return Price(statistics.median(same), "measured")
        if rates := self._rates.get(_sort(spec)):
            return Price(statistics.median(rates) * self._load(spec), "scaled")
        return Price(self._work(spec) / CORE_GFLOPS or max(ASSUMED, self._first_look(spec)), "assumed")

    def _first_look(self, spec: JobSpec) -> float:
        """Seconds of one core that a job takes for each image once: to pack it, or to make its features."""
        each = spec.forward_gflops / CORE_GFLOPS if isinstance(spec, EvaluateSpec) else PACKED
        return each * self._images(spec)

    def gpu_seconds(self, spec: JobSpec) -> float:
        """Training time on one data-centre GPU at the assumed speed; 0 for what does not train."""
        return self._work(spec) / GPU_GFLOPS

    def _work(self, spec: JobSpec) -> float:
        return work(spec, self._counted.get(spec.dataset.short_name) if isinstance(spec, RunSpec) else None)

    def _load(self, spec: JobSpec) -> float:
        """What its time is scaled by: multiply-adds where it trains, else images."""
        return self._work(spec) or self._images(spec)

    def _images(self, spec: JobSpec) -> int:
        """Of train."""
        if not isinstance(spec, ShardsSpec | RunSpec | EvaluateSpec):
            return 1
        return spec.dataset.train_images or self._counted.get(spec.dataset.short_name) or spec.dataset.limit or UNKNOWN

    def _times(self, spec: JobSpec) -> int:
        """How often what a job leaves is there: shards for every image."""
        return self._images(spec) if isinstance(spec, ShardsSpec) else 1

    def bytes(self, spec: JobSpec) -> tuple[float, Source]:
        """What a job leaves on disk: the mean of like ones that are done, else by figures that stand in disk.py."""
        if known := self._bytes.get(_sized(spec)):
            return statistics.mean(known) * self._times(spec), "measured"
        return left_bytes(spec, self._images(spec)), "assumed"


def kind_of(spec: JobSpec) -> Kind:
    """The kind of a job: all but the seed, and of a training the values that cost nothing."""
    if isinstance(spec, EvaluateSpec):
        return *_sort(spec), spec.source.use, spec.evaluation.model_dump_json(), spec.dataset.model_dump_json()
    if isinstance(spec, RunSpec):
        return spec.stage, spec.method.use, spec.encoder.model_dump_json(), f"{work(spec):.6g}"
    if isinstance(spec, ShardsSpec):
        return spec.stage, spec.dataset.model_dump_json()
    return (spec.stage,)


def _sized(spec: JobSpec) -> tuple[str, ...]:
    """What jobs share that leave as many bytes: of shards for each image of the data set, of a training its network."""
    if isinstance(spec, ShardsSpec):
        return spec.stage, spec.dataset.use, str(spec.dataset.image_size)
    return (spec.stage, spec.encoder.model_dump_json()) if isinstance(spec, RunSpec) else (spec.stage,)


def _sort(spec: JobSpec) -> tuple[str, ...]:
    """What jobs share whose times tell of each other, given their work.

    Seconds for one protocol say nothing of another. A probe on raw pixels, which settles late or never, says nothing of one
    on features.
    """
    if isinstance(spec, EvaluateSpec):
        return spec.stage, spec.evaluation.use, "pixels" if isinstance(spec.source, Pixels) else "network"
    if isinstance(spec, ShardsSpec):
        return spec.stage, "small" if has_small_images(spec) else "photographs"
    return (spec.stage,)
