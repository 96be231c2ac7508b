"""What a study still lacks, by stage, with the command that makes it."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.report.study import SPECS, AnySpec, Result, Results

ONE_JOB = ("shards", "tune")
"""Stages whose command takes one job; the others take several."""


@dataclass(frozen=True)
class Missing:
    """Jobs of one stage without a record. ``commands``: to run in the order given, after those of earlier stages."""

    stage: str
    count: int
    planned: int
    commands: tuple[str, ...]


def missing(results: Results) -> list[Missing]:
    """The stages that lack something, in the order in which they run."""
    found = []
    for stage, kind in SPECS.items():
        jobs = results.of(kind)
        if count := sum(job.record is None for job in jobs):
            found.append(Missing(stage, count, len(jobs), commands(jobs)))
    return found


def commands(jobs: Iterable[Result[AnySpec]]) -> tuple[str, ...]:
    """What makes those of these jobs that have no record, in an order in which it can be typed; each job once."""
    return commands_of(job for job in jobs if job.record is None)


def commands_of(jobs: Iterable[Result[AnySpec]]) -> tuple[str, ...]:
    """What makes all of these jobs, done or not, in an order in which it can be typed; each job once."""
    stages = {job.folder: job.stage for job in jobs}
    found = []
    for stage in SPECS:
        folders = [_typed(folder) for folder, of in stages.items() if of == stage]
        calls = folders if stage in ONE_JOB else [" ".join(folders)] if folders else []
        found += [f"python -m pipelines {stage} --job {call}" for call in calls]
    return tuple(found)


def _typed(folder: Path) -> str:
    """A job's folder (RESULTS/jobs/STAGE/KEY) for a page that others read: an absolute RESULTS is this machine's alone."""
    if not folder.is_absolute():
        return shlex.quote(str(folder))
    return f'"$RESULTS"/{shlex.quote(folder.relative_to(folder.parents[2]).as_posix())}'
