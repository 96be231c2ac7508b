"""The main table of a data set: every method by every protocol, the published figure beside it where one exists."""

from collections.abc import Sequence

from pipelines.colours import colour
from pipelines.files import canonical
from pipelines.report.cells import Cell, Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.published import Published, Wanted, choose, is_same_setting, wanted_for
from pipelines.report.tables import Entry, Table, csv_text

_NUMBERS = (
    "label",
    "source",
    "pretrained_on",
    "dataset",
    "protocol",
    "evaluation",
    "metric",
    "mean_percent",
    "sd_points",
    "n",
)
_NUMBERS_TOO = ("expected", "missing", "best", "flags", "published_percent", "published_on", "published_source")

Beside = dict[tuple[Row, Column], tuple[Published, Wanted]]
"""Cell -> the published figure printed beside it, and what the measured one is in published words."""


def beside(comparison: Comparison, published: list[Published]) -> Beside:
    """The published figure for every cell that has one (top-1 only)."""
    found: Beside = {}
    for row in comparison.rows:
        for column in comparison.columns:
            is_top1 = column.metric == "test/top1" and comparison.cells[row, column].expected > 0
            wanted = (
                wanted_for(row.pretraining.spec, comparison.dataset, column.evaluation.use)
                if row.pretraining and is_top1
                else None
            )
            match = choose(published, wanted) if wanted else None
            if match and wanted:
                found[row, column] = (match, wanted)
    return found


def results_table(comparison: Comparison, figures: Beside, name: str, caption: str) -> Table:
    """One row a method; a column a protocol, followed by its published column when any row has a figure for it."""
    sources = list(dict.fromkeys(_note(match) for match, _ in figures.values()))
    with_published = {column for _, column in figures}
    header = ["method"]
    for column in comparison.columns:
        header.append(column.title)
        header += [f"published {column.protocol_name}"] if column in with_published else []
    rows = tuple(_line(comparison, row, figures, with_published, sources) for row in comparison.rows)
    groups = (("", 1), (comparison.dataset.short_name, len(header) - 1)) if comparison.columns else ()
    return Table(name, caption, tuple(header), rows, groups, tuple(sources))


def results_csv(found: Sequence[tuple[Comparison, Beside]]) -> str:
    """The same numbers in full, one line a cell that was planned."""
    lines = [[*_NUMBERS, *_NUMBERS_TOO]]
    for comparison, figures in found:
        for (row, column), cell in comparison.cells.items():
            if cell.expected:
                lines.append([*_measured(comparison, row, column, cell), *_published(figures.get((row, column)))])
    return csv_text(lines)


def _line(
    comparison: Comparison, row: Row, figures: Beside, with_published: set[Column], sources: list[str]
) -> tuple[Entry, ...]:
    entries = [Entry(row.title, muted=row.is_floor, colour=colour(row.origin if row.is_floor else row.label))]
    for column in comparison.columns:
        cell = comparison.cells[row, column]
        warnings = _warnings(cell) + [f"not above {floor.title}" for floor in comparison.not_above(row, column)]
        entries.append(
            Entry(
                cell.text,
                bold=comparison.best(column) == row,
                muted=row.is_floor or cell.mean is None,
                detail="; ".join(warnings),
                alert=bool(warnings),
            )
        )
        if column in with_published:
            entries.append(_published_entry(figures.get((row, column)), sources))
    return tuple(entries)


def _warnings(cell: Cell) -> list[str]:
    """``collapsed 1 of 3``: how many of the runs behind a cell carry a flag."""
    done = cell.expected - cell.missing
    return [f"{flag} {count} of {done}" for flag, count in cell.flags]


def _published_entry(figure: tuple[Published, Wanted] | None, sources: list[str]) -> Entry:
    if figure is None:
        return Entry("–", muted=True)
    match, wanted = figure
    detail = match.measured_on + ("; same data set and backbone" if is_same_setting(match, wanted) else "")
    return Entry(_as_printed(match.value), muted=True, detail=detail, note=sources.index(_note(match)) + 1)


def _as_printed(value: float) -> str:
    """One decimal, or as many as the source prints."""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:g}"


def _note(match: Published) -> str:
    return f"{match.measured_on}: {match.source}{f' ({match.note})' if match.note else ''}"


def _measured(comparison: Comparison, row: Row, column: Column, cell: Cell) -> list[str]:
    mean = "" if cell.mean is None else f"{cell.mean:.6f}"
    sd = "" if cell.sd is None else f"{cell.sd:.6f}"
    flags = " ".join(f"{flag.replace(' ', '_')}:{count}" for flag, count in cell.flags)
    best = "yes" if comparison.best(column) == row else "no"
    evaluation = canonical(column.evaluation.model_dump(mode="json"))
    identity = [row.label, row.origin, row.trained_on or "", comparison.dataset.short_name]
    identity += [column.protocol, evaluation, column.metric]
    return [*identity, mean, sd, str(cell.n), str(cell.expected), str(cell.missing), best, flags]


def _published(figure: tuple[Published, Wanted] | None) -> list[str]:
    if figure is None:
        return ["", "", ""]
    return [f"{figure[0].value:g}", figure[0].measured_on, figure[0].source]
