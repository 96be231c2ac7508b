"""What the records say of one row of a declared table in one of its columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pipelines.report.cells import Cell, Row
from pipelines.report.comparison import Comparison, comparisons
from pipelines.report.mixed import standings
from pipelines.report.monitored import last_readings
from pipelines.report.noise import difference
from pipelines.report.published import choose, is_same_setting, wanted_for
from pipelines.report.reproduction import Reproduced, reproduced
from pipelines.report.study import AnySpec, Result, Results
from pipelines.report.transfer import ranks_of
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec, Untrained
from pipelines.spec.published import Published
from pipelines.spec.tables import PlannedColumn, PlannedRow, PlannedTable

NOT_PLANNED = Cell({}, 0)


@dataclass(frozen=True)
class FoundCell:
    """A cell, the jobs it is made of, and the marks of the code behind them."""

    cell: Cell
    jobs: tuple[Result[AnySpec], ...] = ()
    marks: str = ""


@dataclass(frozen=True, eq=False)
class StudyNumbers:
    """A study's records and the published figures, asked cell by cell."""

    results: Results
    published: Sequence[Published]

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """By the data set measured on."""
        return {found.dataset.short_name: found for found in comparisons(self.results, standings(self.results))}

    def number(self, label: str, column: PlannedColumn) -> FoundCell:
        """What a row has in a column of kind metric or monitor."""
        if column.kind == "monitor":
            trained = [
                job for job in self.results.of(PretrainSpec) if (job.label, job.dataset) == (label, column.dataset)
            ]
            return FoundCell(last_readings(trained, column.number), tuple(trained))
        comparison, row = self.comparisons[column.dataset or ""], self.row(label, column)
        if row is None:
            return FoundCell(NOT_PLANNED)
        protocol = column.number.rpartition("/")[0]
        same = self._evaluations.get((label, comparison.dataset.short_name, row.trained_on), [])
        jobs = tuple(job for job in same if job.spec.source == row.source and job.spec.evaluation.is_called(protocol))
        shown = comparison.column(column.number)
        if shown is None:  # no record has the number yet
            return FoundCell(Cell({}, len(jobs), sum(job.record is None for job in jobs)), jobs)
        return FoundCell(comparison.cells[row, shown], jobs, comparison.codes.marks((row, shown)))

    def gain(self, row: PlannedRow, column: PlannedColumn) -> FoundCell:
        """A row's number minus that of what it is compared with, seed by seed."""
        if row.over is None:
            return FoundCell(NOT_PLANNED)
        mine, other = self.number(row.label, column), self.number(row.over, column)
        found = difference(mine.cell, other.cell)
        n = found.n if found else 0
        expected = mine.cell.expected if other.cell.expected <= 1 else min(mine.cell.expected, other.cell.expected)
        missing = mine.cell.missing + other.cell.missing
        flags = tuple(dict.fromkeys((*mine.cell.flags, *other.cell.flags)))
        values = {seed: found.mean for seed in range(n)} if found else {}
        cell = Cell(values, expected, missing, flags, estimate=found)
        return FoundCell(cell, (*mine.jobs, *other.jobs), "".join(dict.fromkeys(mine.marks + other.marks)))

    def ranks(self, table: PlannedTable, number: str) -> dict[str, float]:
        """Label -> mean rank over the table's columns of a number, of the rows that compete and are complete."""
        columns = [column for column in table.columns if (column.kind, column.number) == ("metric", number)]
        labels = [row.label for row in table.rows if any(self._competes(row.label, column) for column in columns)]
        asked = [column for column in columns if any(self.number(label, column).cell.expected for label in labels)]
        return ranks_of({label: [self.number(label, column).cell for column in asked] for label in labels})

    def figure(self, row: PlannedRow, column: PlannedColumn) -> Published | None:
        """The published figure of a row; of a column published one of the same data set and network, else the nearest."""
        found = self.row(row.label, column)
        if found is None or found.pretraining is None:
            return None
        evaluated = self.comparisons[column.dataset or ""].dataset
        wanted = wanted_for(found.pretraining.spec, evaluated, column.number)
        if wanted is None:
            return None
        if row.option:
            wanted = replace(wanted, settings=((row.option, row.value),))
        known = [each for each in self.published if column.takes(each)]
        same = [each for each in known if is_same_setting(each, wanted)]
        return choose(known if column.kind == "elsewhere" else same, wanted)

    def reproduction(self, row: PlannedRow, column: PlannedColumn) -> Reproduced | None:
        """The verdict on the figure that a row is set against in a column of kind reproduces."""
        fitting = (each for each in self.reproduced if each.plan.label == row.label and column.shows(each.plan))
        return next(fitting, None)

    @cached_property
    def reproduced(self) -> list[Reproduced]:
        """Every reproduction of the study."""
        return reproduced(self.results, list(self.comparisons.values()))

    def row(self, label: str, column: PlannedColumn) -> Row | None:
        """The row of this label; of two untrained encoders of one name that which takes the data set's images as they are."""
        comparison = self.comparisons[column.dataset or ""]
        rows = [
            row
            for row in comparison.rows
            if row.label == label and row.origin != "guess" and row.trained_on in (None, column.origin)
        ]

        def resized(row: Row) -> bool:
            size = row.source.image_size if isinstance(row.source, Untrained) else None
            return size not in (None, comparison.dataset.image_size)

        return min(rows, key=resized, default=None)

    def _competes(self, label: str, column: PlannedColumn) -> bool:
        row = self.row(label, column)
        return row is not None and row.competes

    @cached_property
    def _evaluations(self) -> dict[tuple[str, str, str | None], list[Result[EvaluateSpec]]]:
        """By label, data set measured on, and data set pretrained on."""
        found: dict[tuple[str, str, str | None], list[Result[EvaluateSpec]]] = {}
        for job in self.results.of(EvaluateSpec):
            trained = self.results.pretraining(job)
            place = (job.label, job.dataset, trained.dataset if trained else None)
            found.setdefault(place, []).append(job)
        return found
