"""What the page shows of what is behind its numbers, once for all numbers that are made of the same."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.records import FILE
from pipelines.report.behind import Behind
from pipelines.report.missing import commands_of
from pipelines.report.study import Result, Results
from pipelines.report.tables import Table
from pipelines.spec.jobs import ShardsSpec, TuneSpec


@dataclass(frozen=True)
class OpenJob:
    """A job behind a number.

    seed     None where the number is of one job alone, or the job has none
    text     what it adds to the number; may be empty
    address  of its record, from the page; empty while there is none
    """

    seed: int | None
    text: str
    key: str
    address: str


@dataclass(frozen=True)
class Opened:
    """One entry of the page. ``parts``: anchor and words of other entries; ``commands``: all that make the number, in
    order; ``runs``: a filter for MLflow's pages, empty where no run or no single row is behind the number."""

    anchor: str
    place: str
    jobs: tuple[OpenJob, ...]
    parts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    runs: str


def behind_tables(tables: Iterable[Table]) -> Iterator[Behind]:
    """What is behind every number of these tables."""
    for table in tables:
        for row in table.rows:
            yield from (entry.behind for entry in row if entry.behind)


def opened(results: Results, found: Iterable[Behind], page: Path) -> tuple[Opened, ...]:
    """Each once, in the order of the page, and their parts. ``page``: the folder of the page."""
    unique = {each.anchor: each for whole in found for each in whole.with_parts}
    return tuple(_opened(results, each, page) for each in unique.values())


def record_address(job: Result[Any], page: Path) -> str:
    """A job's record, from the folder of the page; empty while there is none."""
    return Path(os.path.relpath(job.folder / FILE, page)).as_posix() if job.record else ""


def _opened(results: Results, behind: Behind, page: Path) -> Opened:
    several, values = len(behind.jobs) > 1, behind.values or [""] * len(behind.jobs)
    jobs = tuple(
        OpenJob(job.seed if several else None, text, job.key, record_address(job, page))
        for job, text in zip(behind.jobs, values, strict=True)
    )
    parts = tuple((part.anchor, part.place) for part in behind.parts)
    rows = {_run_of(results, job) for job in behind.jobs}
    if len(rows) > 1:  # such as the time of a stage; the commands stand with each row's own numbers
        return Opened(behind.anchor, behind.place, jobs, parts, (), "")
    line = {each.folder: each for job in behind.jobs for each in results.line(job)}
    return Opened(behind.anchor, behind.place, jobs, parts, commands_of(line.values()), "".join(rows))


def _run_of(results: Results, job: Result[Any]) -> str:
    """A filter for the runs of a job's row, or for that of its search; packing has none."""
    if isinstance(job.spec, ShardsSpec):
        return ""
    level = "row" if isinstance(job.spec, TuneSpec) else "seed"
    return f"tags.level = '{level}' and tags.method = '{_run_name(results, job)}'"


def _run_name(results: Results, job: Result[Any]) -> str:
    """What MLflow's pages call the row: with the data set pretrained on, where there are several."""
    if len(results.trained_on) < 2:
        return job.name.told
    pretraining = results.pretraining(job) or job
    home = pretraining.dataset if pretraining.dataset in results.trained_on else results.trained_on[0]
    return f"{job.name.told} ({home})"
