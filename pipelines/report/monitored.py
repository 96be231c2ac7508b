"""Numbers that training records about itself, as cells of a table."""

from collections.abc import Sequence

from pipelines.report.cells import Cell
from pipelines.report.study import Result
from pipelines.spec.jobs import PretrainSpec
from pipelines.statistics.intervals import of_seeds


def last_readings(jobs: Sequence[Result[PretrainSpec]], monitor: str) -> Cell:
    """A number at its last reading, by seed, in its own unit. ``jobs``: the pretrainings of one row."""
    read = {job.spec.seed: job.record.metrics.get(f"final/{monitor}") for job in jobs if job.record}
    by_seed = {seed: value for seed, value in read.items() if value is not None}
    missing = sum(job.record is None for job in jobs)
    return Cell(by_seed, len(jobs), missing, estimate=of_seeds(list(by_seed.values())) if by_seed else None)
