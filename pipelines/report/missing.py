"""What a study still lacks, by stage, with the command that makes it."""

import shlex
from dataclasses import dataclass

from pipelines.report.study import SPECS, Results

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
        folders = [shlex.quote(str(job.folder)) for job in jobs if job.record is None]
        calls = folders if stage in ONE_JOB else [" ".join(folders)]
        commands = tuple(f"python -m pipelines {stage} --job {call}" for call in calls)
        if folders:
            found.append(Missing(stage, len(folders), len(jobs), commands))
    return found
