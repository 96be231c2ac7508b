"""What is behind a number of the report: its records, the commands that make it, and its runs in MLflow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.records import FILE
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.missing import commands_of
from pipelines.report.study import Results


@dataclass(frozen=True)
class SeedBehind:
    """One evaluation of a cell.

    seed     of the pretraining; None: the protocol was measured on what has none
    text     its value in percent, or why there is none
    key      of the job
    address  of its record, from the page; empty while there is none
    """

    seed: int | None
    text: str
    key: str
    address: str


@dataclass(frozen=True)
class Behind:
    """A cell of a leaderboard. ``anchor``: what its number links to; ``commands``: all that make it, in order; ``runs``: a
    filter for MLflow's pages."""

    anchor: str
    place: str
    text: str
    seeds: tuple[SeedBehind, ...]
    commands: tuple[str, ...]
    runs: str


def anchor(table: str, row: int, column: int) -> str:
    """What the number of a cell in this table links to; rows and columns count from 0."""
    return f"behind-{table}-{row}-{column}"


def behind(results: Results, found: Sequence[tuple[str, Comparison]], page: Path) -> list[Behind]:
    """Every cell with a job, table by table. ``found``: name of the table, comparison; ``page``: the folder of the page."""
    made = []
    for table, comparison in found:
        for y, row in enumerate(comparison.rows):
            for x, column in enumerate(comparison.columns):
                if comparison.jobs.get((row, column)):
                    made.append(_behind(results, comparison, row, column, anchor(table, y, x), page))
    return made


def _behind(results: Results, comparison: Comparison, row: Row, column: Column, name: str, page: Path) -> Behind:
    cell, jobs = comparison.cells[row, column], comparison.jobs[row, column]
    seeds = []
    for job in jobs:
        value = cell.by_seed.get(job.spec.seed)
        text = f"{value:.2f} %" if value is not None else "no finite number" if job.record else "missing"
        record = Path(os.path.relpath(job.folder / FILE, page)).as_posix() if job.record else ""
        seeds.append(SeedBehind(job.spec.seed if len(jobs) > 1 else None, text, job.key, record))
    line = {each.folder: each for job in jobs for each in results.line(job)}
    place = " · ".join((comparison.dataset.short_name, row.title, column.title))
    runs = f"tags.method = '{row.label}' and tags.level = 'seed'"
    return Behind(name, place, cell.text, tuple(seeds), commands_of(line.values()), runs)
