"""What the methods of a comparison cost: seconds of a pretraining, and which of them no other beats in both."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.report.behind import Behind, of_pretrainings
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.study import Results
from pipelines.spec.jobs import PretrainSpec


@dataclass(frozen=True)
class Cost:
    """Medians over the finished seeds of a row. ``images``: of training a second; None: no record tells."""

    seconds: float
    images: float | None
    behind: Behind | None = field(default=None, compare=False)


@dataclass(frozen=True)
class CostPoint:
    """A method: seconds of a pretraining, mean in percent, and whether no other is both cheaper and better."""

    row: Row
    seconds: float
    value: float
    is_front: bool


def costs(results: Results, comparison: Comparison) -> dict[Row, Cost]:
    """Of every row with a finished pretraining."""
    found = {}
    for row in comparison.rows:
        jobs = [job for job in results.of(PretrainSpec) if (job.label, job.dataset) == (row.label, row.trained_on)]
        records = [job.record for job in jobs if job.record]
        speeds = [record.images_per_second for record in records if record.images_per_second]
        if records:
            seconds = statistics.median(record.seconds for record in records)
            found[row] = Cost(seconds, statistics.median(speeds) if speeds else None, of_pretrainings(jobs))
    return found


def points(comparison: Comparison, column: Column, cost: Mapping[Row, Cost]) -> list[CostPoint]:
    """Of the rows that compete and are complete, the cheapest first."""
    timed = [
        row for row in comparison.ranking(column) if row in cost and cost[row].seconds > 0
    ]  # for a logarithmic axis
    placed = [(cost[row].seconds, comparison.cells[row, column].mean or 0.0, row) for row in timed]
    front = pareto((seconds, value) for seconds, value, _ in placed)
    made = [CostPoint(row, seconds, value, (seconds, value) in front) for seconds, value, row in placed]
    return sorted(made, key=lambda point: (point.seconds, -point.value))


def pareto(places: Iterable[tuple[float, float]]) -> set[tuple[float, float]]:
    """Those (cost, value) that no other place equals or beats in both, being better in one."""
    found: set[tuple[float, float]] = set()
    best = float("-inf")
    for cost, value in sorted(places, key=lambda place: (place[0], -place[1])):
        if value > best:
            found.add((cost, value))
            best = value
    return found
