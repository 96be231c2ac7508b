"""A declared table, filled from the records: numbers, footnotes, and what it would take to fill its empty cells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.errors import InputError
from pipelines.report.elsewhere import CONDITIONS
from pipelines.report.estimates import RESAMPLES
from pipelines.report.measured import FoundCell, StudyNumbers
from pipelines.report.missing import commands
from pipelines.report.published import UNCONFIRMED, UNCONFIRMED_MEANS
from pipelines.report.study import AnySpec, Result
from pipelines.report.tables import Entry, Table
from pipelines.spec.tables import Kind, PlannedColumn, PlannedRow, PlannedTable

DASH = "–"
INTERVALS = {
    "seeds and images": f"seeds and test images (two-way bootstrap of {RESAMPLES:,} resamples)",
    "seeds": "seeds (Student's t)",
    "images": "test images for the very weights (Wilson)",
}
"""What an interval counts, in words."""
VERDICT = ("difference", "verdict")
"""Headers of what follows a figure that is reproduced."""
FOLLOWING: dict[Kind, tuple[str, ...]] = {"elsewhere": CONDITIONS, "reproduces": VERDICT}


@dataclass(frozen=True)
class Absent:
    """A cell that no record has a number for, with what makes its jobs, in an order in which it can be typed.

    row        its number from 0
    place      in words: the row's group and title, and the column's
    keys       of the jobs without a record that the cell itself is made of
    commands   these and what they are made from
    """

    row: int
    place: str
    keys: tuple[str, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Filled:
    """A table as it is printed, and its cells that are not run."""

    table: Table
    absent: tuple[Absent, ...]


@dataclass
class _Filling:
    """What is gathered while cells are filled: footnotes in the order of use, seeds behind complete cells, empty cells."""

    measured: StudyNumbers
    plan: PlannedTable
    notes: list[str] = field(default_factory=list)
    seeds: set[int] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)
    absent: list[Absent] = field(default_factory=list)
    ranks: dict[str, dict[str, float]] = field(default_factory=dict)

    def note(self, text: str) -> int | None:
        """The number of a footnote; the same text has one number."""
        if not text:
            return None
        if text not in self.notes:
            self.notes.append(text)
        return self.notes.index(text) + 1

    def of(self, row: PlannedRow, column: PlannedColumn) -> list[Entry]:
        """The entries of one column in one row: one, or of a figure from elsewhere those of its conditions too."""
        match column.kind:
            case "rank":
                if column.number not in self.ranks:
                    self.ranks[column.number] = self.measured.ranks(self.plan, column.number)
                rank = self.ranks[column.number].get(row.label)
                return [Entry("" if rank is None else f"{rank:.{column.digits}f}")]
            case "published" | "elsewhere":
                return self._figure(row, column)
            case "reproduces":
                return self._reproduction(row, column)
            case "gain":
                return [self._entry(row, column, self.measured.gain(row, column), "+")]
        return [self._entry(row, column, self.measured.number(row.label, column), "")]

    def _figure(self, row: PlannedRow, column: PlannedColumn) -> list[Entry]:
        found, more = self.measured.figure(row, column), column.kind == "elsewhere"
        if found is None:
            return [Entry("")] * (1 + len(CONDITIONS) * more)
        note = self.note(found.source + (f" ({found.note})" if found.note else ""))
        marks = "" if found.confirmed else UNCONFIRMED
        self.marks.update(marks)
        value = Entry(f"{found.value:.{max(column.digits, _decimals(found.value))}f}", marks=marks, note=note)
        conditions = (
            found.dataset,
            found.backbone or "not stated",
            "not stated" if found.epochs is None else str(found.epochs),
        )
        return [value, *(Entry(text) for text in conditions * more)]

    def _reproduction(self, row: PlannedRow, column: PlannedColumn) -> list[Entry]:
        found = self.measured.reproduction(row, column)
        if found is None:
            return [Entry("")] * (1 + len(VERDICT))
        figure, moved = found.plan.figure, found.difference
        note = self.note("; ".join([figure.source, *found.plan.differs, f"allowed ± {found.plan.within:g}"]))
        marks = "" if figure.confirmed else UNCONFIRMED
        self.marks.update(marks)
        digits = max(column.digits, _decimals(figure.value))
        value = Entry(f"{figure.value:.{digits}f}", marks=marks, note=note)
        return [value, Entry("" if moved is None else f"{moved:+.{digits}f}"), Entry(found.verdict)]

    def _entry(self, row: PlannedRow, column: PlannedColumn, found: FoundCell, sign: str) -> Entry:
        cell = found.cell
        if cell.expected == 0:
            return Entry("")
        if cell.mean is None or cell.estimate is None:
            lacking = tuple(dict.fromkeys(job.key for job in found.jobs if job.record is None))
            if not lacking:
                return Entry(DASH, muted=True, note=self.note("not finite"))
            place = " / ".join(text for text in (row.group, row.title, column.group, column.title) if text)
            number = self.plan.rows.index(row)
            self.absent.append(Absent(number, place, lacking, commands(self._line(found.jobs))))
            return Entry(DASH, muted=True)
        if column.kind != "monitor":
            self.counted.add(cell.estimate.counts)
        if cell.is_complete:
            self.seeds.add(cell.n)
        flags = [f"{flag} in {count} of {cell.expected - cell.missing}" for flag, count in cell.flags]
        partial = [] if cell.is_complete else [f"{cell.n} of {cell.expected} seeds"]
        text = f"{cell.mean:{sign}.{column.digits}f}" + self._spread(found, column, sign)
        return Entry(text, marks=found.marks, note=self.note("; ".join([*partial, *flags])))

    def _spread(self, found: FoundCell, column: PlannedColumn, sign: str) -> str:
        estimate, digits = found.cell.estimate, column.digits
        if estimate is None or self.plan.spread == "none":
            return ""
        if self.plan.spread == "sd":
            return "" if estimate.sd is None else f" ± {estimate.sd:.{digits}f}"
        if estimate.low is None or estimate.high is None:
            return ""
        return f" [{estimate.low:{sign}.{digits}f}, {estimate.high:{sign}.{digits}f}]"

    def _line(self, jobs: Sequence[Result[AnySpec]]) -> list[Result[AnySpec]]:
        return [each for job in jobs for each in self.measured.results.line(job)]


def filled(measured: StudyNumbers, plan: PlannedTable) -> Filled:
    """The table of the records as they are; the same records give the same table.

    InputError where published figures of two protocols would stand under one header.
    """
    _check_headers(measured, plan)
    filling = _Filling(measured, plan)
    rows = [
        [Entry(row.title), *(entry for column in plan.columns for entry in filling.of(row, column))]
        for row in plan.rows
    ]
    header = [plan.heading]
    groups: list[tuple[str, int]] = [("", 1)]
    for column in plan.columns:
        titles = [column.title, *FOLLOWING.get(column.kind, ())]
        header += titles
        last, span = groups[-1]
        joined = len(header) > len(titles) + 1 and last == column.group
        groups[-1:] = [(last, span + len(titles))] if joined else [groups[-1], (column.group, len(titles))]
    table = Table(
        plan.name,
        plan.caption,
        tuple(header),
        tuple(map(tuple, rows)),
        tuple(groups) if any(title for title, _ in groups) else (),
        tuple(filling.notes),
        remarks=tuple(_remarks(filling)),
        sections=_sections(plan.rows),
        label=plan.label,
    )
    return Filled(table, tuple(filling.absent))


def _check_headers(measured: StudyNumbers, plan: PlannedTable) -> None:
    for column in plan.columns:
        shown = [measured.figure(row, column) for row in plan.rows] if column.kind == "published" else []
        by_protocol = {figure.measured_by: figure for figure in shown if figure}
        if len(by_protocol) > 1:
            listed = "; ".join(f"{protocol} ({figure.source})" for protocol, figure in by_protocol.items())
            raise InputError(
                f"table {plan.name}: published {column.number}: two protocols under one header: {listed}; choose by "
                "source, or with by"
            )


def _sections(rows: Sequence[PlannedRow]) -> tuple[tuple[int, str], ...]:
    """Where a heading stands: before the first row of every group that has a name."""
    before = ["", *(row.group for row in rows)]
    return tuple((number, row.group) for number, row in enumerate(rows) if row.group not in ("", before[number]))


def _remarks(filling: _Filling) -> Iterator[str]:
    """What has to be known to read the table."""
    plan, measured = filling.plan, filling.measured
    counts = sorted(filling.seeds - {1} or filling.seeds)  # raw pixels, and weights from a file, are measured once
    seeds = "all seeds" if len(counts) != 1 else "one seed" if counts == [1] else f"{counts[0]} seeds"
    if filling.counted:
        spread = " ± sample standard deviation" if plan.spread == "sd" and counts != [1] else ""
        yield f"In percent, mean{spread} over {seeds}."
    if plan.spread == "interval" and filling.counted & INTERVALS.keys():
        over_what = [words for counted, words in INTERVALS.items() if counted in filling.counted]
        yield f"Intervals are of 95 %, over {', or '.join(over_what)}."
    if any(column.kind == "gain" for column in plan.columns):
        titles = {row.label: row.title for row in plan.rows}
        over = dict.fromkeys(titles.get(row.over, row.over) for row in plan.rows if row.over)
        whom = ", ".join(map(str, over)) if len(over) == 1 else "the row that each is compared with"
        yield f"Gains are differences in points, seed by seed, over {whom}."
    if any(column.kind == "rank" for column in plan.columns):
        yield "Ranks: 1 is the highest mean; of rows that are complete everywhere and saw no labels."
    if UNCONFIRMED in filling.marks:
        yield UNCONFIRMED_MEANS
    used = {column.dataset for column in plan.columns if column.kind in ("metric", "gain")}
    marked = [found for name, found in measured.comparisons.items() if name in used]
    yield from dict.fromkeys(remark for found in marked for remark in found.codes.remarks())
    yield from plan.notes
    if filling.absent:
        yield f"{DASH} Not run yet: {len(filling.absent)} of the table's cells."


def _decimals(value: float) -> int:
    """As many as the source prints."""
    return len(f"{value:g}".partition(".")[2])
