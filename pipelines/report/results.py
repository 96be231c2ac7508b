"""The main table: every method on every data set and protocol, the published figure beside it where one exists."""

from pipelines.colours import colour
from pipelines.files import canonical
from pipelines.report.cells import Cell, Column, Comparison, Row
from pipelines.report.published import Published, Wanted, choose, is_same_setting, wanted_for
from pipelines.report.tables import Entry, Table, csv_text

_NUMBERS = ("label", "source", "dataset", "protocol", "evaluation", "metric", "mean_percent", "sd_points", "n")
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
                wanted_for(row.pretraining.spec, column.dataset, column.evaluation.use)
                if row.pretraining and is_top1
                else None
            )
            match = choose(published, wanted) if wanted else None
            if match and wanted:
                found[row, column] = (match, wanted)
    return found


def results_table(comparison: Comparison, figures: Beside, caption: str) -> Table:
    """One row a method; a column a protocol, followed by its published column when any row has a figure for it."""
    sources = list(dict.fromkeys(_note(match) for match, _ in figures.values()))
    with_published = {column for _, column in figures}
    header, spans = ["method"], [("", 1)]
    for column in comparison.columns:
        header.append(column.title)
        header += [f"published {column.protocol_name}"] if column in with_published else []
        spans.append((column.dataset.short_name, 2 if column in with_published else 1))
    rows = tuple(_line(comparison, row, figures, with_published, sources) for row in comparison.rows)
    return Table("results", caption, tuple(header), rows, _merged(spans), tuple(sources))


def results_csv(comparison: Comparison, figures: Beside) -> str:
    """The same numbers in full, one line a cell that was planned."""
    lines = [[*_NUMBERS, *_NUMBERS_TOO]]
    for (row, column), cell in comparison.cells.items():
        if cell.expected:
            lines.append([*_measured(comparison, row, column, cell), *_published(figures.get((row, column)))])
    return csv_text(lines)


def _line(
    comparison: Comparison, row: Row, figures: Beside, with_published: set[Column], sources: list[str]
) -> tuple[Entry, ...]:
    entries = [Entry(row.label, muted=row.is_floor, colour=colour(row.origin if row.is_floor else row.label))]
    for column in comparison.columns:
        cell = comparison.cells[row, column]
        warnings = _warnings(cell) + (["not above the floor"] if comparison.below_floor(row, column) else [])
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


def _merged(spans: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Neighbouring columns of one data set under one title."""
    merged: list[tuple[str, int]] = []
    for title, span in spans:
        if merged and merged[-1][0] == title:
            merged[-1] = (title, merged[-1][1] + span)
        else:
            merged.append((title, span))
    return tuple(merged)


def _measured(comparison: Comparison, row: Row, column: Column, cell: Cell) -> list[str]:
    mean = "" if cell.mean is None else f"{cell.mean:.6f}"
    sd = "" if cell.sd is None else f"{cell.sd:.6f}"
    flags = " ".join(f"{flag.replace(' ', '_')}:{count}" for flag, count in cell.flags)
    best = "yes" if comparison.best(column) == row else "no"
    evaluation = canonical(column.evaluation.model_dump(mode="json"))
    identity = [row.label, row.origin, column.dataset.short_name, column.protocol, evaluation, column.metric]
    return [*identity, mean, sd, str(cell.n), str(cell.expected), str(cell.missing), best, flags]


def _published(figure: tuple[Published, Wanted] | None) -> list[str]:
    if figure is None:
        return ["", "", ""]
    return [f"{figure[0].value:g}", figure[0].measured_on, figure[0].source]
