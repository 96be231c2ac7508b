"""The verdict on every published figure that a study sets out to reproduce, from the records alone.

A figure and its row are of the same test images, so how hard these are is no part of their difference: its interval counts
seeds alone. The interval of the row itself counts seeds and images, as everywhere.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipelines.report.behind import Behind, of_cell
from pipelines.report.cells import Cell
from pipelines.report.comparison import Comparison
from pipelines.report.study import AnySpec, Result, Results
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.reproductions import PlannedReproduction
from pipelines.statistics.intervals import Estimate, of_seeds
from pipelines.statistics.reproduction import LEAST_SEEDS, Outcome, outcome

Verdict = Outcome | Literal["not run"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "not reproduced", "not settled", "not run")


@dataclass(frozen=True)
class Reproduced:
    """A row beside its figure. ``lacking``: jobs without a record that its number still needs; ``marks``: of its code."""

    plan: PlannedReproduction
    cell: Cell
    lacking: tuple[Result[AnySpec], ...]
    marks: str = ""
    behind: Behind | None = field(default=None, compare=False)

    @property
    def verdict(self) -> Verdict:
        """not run until every planned seed has a record, so that nobody can stop while a number looks good."""
        if self.cell.missing or not self.cell.expected:
            return "not run"
        if not self.cell.is_complete or self.over_seeds is None:  # a record without a finite number
            return "not reproduced"
        return outcome(self.over_seeds, self.plan.figure.value, self.plan.within)

    @property
    def over_seeds(self) -> Estimate | None:
        """The mean with its interval over seeds alone (Student's t), in percent; None without values."""
        return of_seeds(list(self.cell.by_seed.values())) if self.cell.by_seed else None

    @property
    def difference(self) -> float | None:
        """The mean here minus the figure, in points."""
        return None if self.cell.mean is None else self.cell.mean - self.plan.figure.value

    @property
    def interval(self) -> str:
        """Of the difference, over seeds: ``[-0.60, +0.20]``; empty where there is none."""
        found, value = self.over_seeds, self.plan.figure.value
        if found is None or found.low is None or found.high is None:
            return ""
        return f"[{found.low - value:+z.2f}, {found.high - value:+z.2f}]"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What has to be known to read the verdict, beside what sets the two apart: a sentence each."""
        cell, found = self.cell, []
        sd = self.over_seeds.sd if self.over_seeds else None
        if sd is not None and 2 * sd > self.plan.within:
            found.append(
                f"twice the spread of single runs ({2 * sd:.2f}) is more than the tolerance, and most published "
                "figures are of a single run"
            )
        if self.verdict == "not settled" and cell.n < LEAST_SEEDS:
            found.append(f"{cell.n} of {LEAST_SEEDS} seeds at least")
        if not cell.missing and cell.n < cell.expected:
            found.append(f"{cell.expected - cell.n} of {cell.expected} seeds gave no finite number")
        return (*found, *(f"{flag} in {count} of {cell.expected}" for flag, count in cell.flags))


def reproduced(results: Results, found: Sequence[Comparison]) -> list[Reproduced]:
    """Every reproduction of the study, in the order of its file. ``found``: its comparisons."""
    known = {comparison.dataset.short_name: comparison for comparison in found}
    return [_reproduced(results, known[plan.dataset], plan) for plan in results.reproductions]


def _reproduced(results: Results, comparison: Comparison, plan: PlannedReproduction) -> Reproduced:
    protocol = plan.number.rpartition("/")[0]
    row = next(row for row in comparison.rows if (row.label, row.trained_on) == (plan.label, plan.dataset))
    column = comparison.column(plan.number)
    jobs = [
        job
        for job in results.of(EvaluateSpec)
        if (job.label, job.dataset) == (plan.label, plan.dataset) and job.spec.evaluation.is_called(protocol)
    ]
    lines = {(each.stage, each.key): each for job in jobs if job.record is None for each in results.line(job)}
    lacking = tuple(each for each in lines.values() if each.record is None)
    cell = comparison.cells[row, column] if column else Cell({}, len(jobs), len(jobs))
    marks, behind = (comparison.codes.marks((row, column)), of_cell(comparison, row, column)) if column else ("", None)
    return Reproduced(plan, cell, lacking, marks, behind)


def counted(found: Sequence[Reproduced]) -> str:
    """``3 reproduced, 1 not reproduced, 6 not run``."""
    counts = Counter(each.verdict for each in found)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
