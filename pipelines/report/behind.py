"""What is behind a number of the page: the records it is read from, the commands that make it, and its runs in MLflow."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pipelines.durations import duration
from pipelines.files import digest
from pipelines.records import Record
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.study import Result
from pipelines.spec.jobs import PretrainSpec


@dataclass(frozen=True)
class Behind:
    """What a number is made of.

    place   where the number stands, in words, with what it says
    jobs    whose records it is read from
    values  what each of these jobs adds, in words; empty where a job adds no number of its own
    parts   other numbers that it is worked out of, each with what is behind it
    """

    place: str
    jobs: tuple[Result[Any], ...] = ()
    values: tuple[str, ...] = ()
    parts: tuple[Self, ...] = ()

    def __post_init__(self) -> None:
        assert not self.values or len(self.values) == len(self.jobs)

    @functools.cached_property
    def anchor(self) -> str:
        """What every number that is made of the same links to."""
        jobs = [f"{job.stage}/{job.key}" for job in self.jobs]
        return f"behind-{digest([self.place, jobs, [part.anchor for part in self.parts]], 12)}"

    @property
    def with_parts(self) -> Iterator[Self]:
        """This one, then all that it is worked out of."""
        yield self
        for part in self.parts:
            yield from part.with_parts


def of_jobs(place: str, jobs: Iterable[Result[Any]], values: Sequence[str] = ()) -> Behind | None:
    """A number that is read from the records of these jobs; None where there is no job."""
    found = tuple(jobs)
    return Behind(place, found, tuple(values)) if found else None


def of_parts(place: str, parts: Iterable[Behind | None]) -> Behind | None:
    """A number that is worked out of others, each named once; None where nothing is behind any of them."""
    found = {part.anchor: part for part in parts if part}
    return Behind(place, parts=tuple(found.values())) if found else None


def of_cell(comparison: Comparison, row: Row, column: Column) -> Behind | None:
    """A cell of a leaderboard with the value of each seed; None for what no job measures, such as chance."""
    jobs = comparison.jobs.get((row, column), [])
    cell = comparison.cells[row, column]
    place = " · ".join((comparison.dataset.short_name, row.title, column.title))
    values = [_percent(cell.by_seed.get(job.spec.seed), job) for job in jobs]
    return of_jobs(f"{place}: {cell.text}", jobs, values)


def of_pretrainings(jobs: Sequence[Result[PretrainSpec]]) -> Behind | None:
    """What stands in the records of one row's pretrainings, such as their time and the learning rate that was used."""
    told = [_told(job.record) for job in jobs]
    return of_jobs(f"{jobs[0].dataset} · {jobs[0].label} · pretraining", jobs, told) if jobs else None


def _told(record: Record | None) -> str:
    """Time and speed of one pretraining."""
    if record is None:
        return "missing"
    speed = f", {record.images_per_second:,.0f} images/s" if record.images_per_second else ""
    return duration(record.seconds) + speed


def _percent(value: float | None, job: Result[Any]) -> str:
    if value is not None:
        return f"{value:.2f} %"
    return "no finite number" if job.record else "missing"
