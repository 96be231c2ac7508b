"""How far off the price was that ``plan --cost`` names before anything is measured."""

from collections.abc import Iterable

from pipelines.durations import duration
from pipelines.report.study import AnySpec, Result
from pipelines.spec.price import ASSUMED, Prices
from pipelines.spec.resources import CORE_GFLOPS

UNMEASURED = Prices([])
"""Of the built-in table alone."""


def foreseen(jobs: Iterable[Result[AnySpec]]) -> float:
    """Seconds that the built-in table gives the finished ones of these jobs."""
    return sum(UNMEASURED.price(job.spec).seconds for job in jobs if job.record)


def off_by(jobs: Iterable[Result[AnySpec]]) -> float | None:
    """Seconds measured over seconds foreseen; None where no job is finished."""
    finished = [job for job in jobs if job.record]
    total = sum(job.record.seconds for job in finished if job.record)
    return total / foreseen(finished) if finished else None


def sentence(jobs: Iterable[Result[AnySpec]]) -> str:
    """What the finished jobs took beside what was foreseen for them; empty where none is finished."""
    finished = [job for job in jobs if job.record]
    ratio = off_by(finished)
    if ratio is None:
        return ""
    took = duration(sum(job.record.seconds for job in finished if job.record))
    return (
        f"The finished jobs took {took}. Before anything is measured, plan --cost foresees {duration(foreseen(finished))} "
        f"for them: they took {ratio:.2g} times as long. It reckons with {CORE_GFLOPS:g} billion multiply-adds a second on "
        f"one core, and with {ASSUMED:g} s for a job that does not train."
    )
