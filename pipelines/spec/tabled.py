"""The tables of a study with their rows and columns found in the plan, before anything runs."""

from collections.abc import Sequence

from pipelines.errors import InputError
from pipelines.spec.reproductions import PlannedReproduction
from pipelines.spec.table_columns import columns_of
from pipelines.spec.table_rows import Known, rows_of
from pipelines.spec.tables import PaperTable, PlannedColumn, PlannedRow, PlannedTable


def planned_tables(known: Known, figures: Sequence[PlannedReproduction] = ()) -> tuple[PlannedTable, ...]:
    """The tables of a study; InputError names the table, the key and what there is instead.

    ``figures``: what the study reproduces.
    """
    tables = known.study.tables
    names = [table.name.casefold() for table in tables]  # some file systems take two names that differ in case for one
    for i, table in enumerate(tables):
        if names.index(table.name.casefold()) < i:
            raise InputError(f"tables[{i}].name: two tables are called {table.name}; rename one of them")
    return tuple(_planned(known, table, figures, f"tables[{i}]") for i, table in enumerate(tables))


def _planned(known: Known, table: PaperTable, figures: Sequence[PlannedReproduction], where: str) -> PlannedTable:
    rows, columns = rows_of(known, table, where), columns_of(known.study, table, where)
    _check_twins([(row.group, row.title) for row in rows], f"{where}.rows")
    _check_twins([(column.group, column.title) for column in columns], f"{where}.columns")
    _check_kinds(rows, columns, f"{where}.columns")
    _check_protocols(rows, columns, figures, f"{where}.columns")
    return PlannedTable(
        name=table.name,
        caption=table.caption,
        label=table.label or f"tab:{table.name}",
        heading=_heading(rows) if table.heading is None else table.heading,
        spread=table.spread,
        rows=rows,
        columns=columns,
        notes=table.notes,
    )


def _heading(rows: Sequence[PlannedRow]) -> str:
    """What the first column is called: the option whose arms all rows are, else method."""
    options = {row.option for row in rows}
    (option,) = options if len(options) == 1 else (None,)
    return option.rpartition(".")[2].replace("_", " ") if option else "method"


def _check_twins(titles: Sequence[tuple[str, str]], where: str) -> None:
    for group, title in titles:
        if titles.count((group, title)) > 1:
            inside = f" under {group}" if group else ""
            raise InputError(f"{where}: two are called {title!r}{inside}; give one of them another title or group")


def _check_protocols(
    rows: Sequence[PlannedRow], columns: Sequence[PlannedColumn], figures: Sequence[PlannedReproduction], where: str
) -> None:
    """InputError where figures of two protocols would stand under one header, or two in one cell, or none in a column."""
    labels = {row.label for row in rows}
    for column in columns:
        if column.kind != "reproduces":
            continue
        shown = [line for line in figures if line.label in labels and column.shows(line)]
        whose = f"{where}: reproduces {column.number} on {column.dataset}"
        if not shown:
            raise InputError(f"{whose}: no row of the table is set against a figure of it; list one under reproduces")
        by_protocol = {line.figure.measured_by: line.figure for line in shown}
        if len(by_protocol) > 1:
            listed = "; ".join(f"{protocol} ({figure.id})" for protocol, figure in by_protocol.items())
            raise InputError(f"{whose}: two protocols under one header: {listed}; choose by source, or with by")
        twice = [line.label for line in shown if [each.label for each in shown].count(line.label) > 1]
        if twice:
            raise InputError(f"{whose}: {twice[0]} is set against two figures; choose one of them by source")


def _check_kinds(rows: Sequence[PlannedRow], columns: Sequence[PlannedColumn], where: str) -> None:
    """InputError where a column could only be empty: a rank over no column, a gain over nothing."""
    measured = {column.number for column in columns if column.kind == "metric"}
    for column in columns:
        if column.kind == "rank" and column.number not in measured:
            raise InputError(
                f"{where}: rank {column.number}: the table has no column of that number to rank by; add "
                f"{{metric: {column.number}}}, or leave the rank out"
            )
        if column.kind == "gain" and not any(row.over for row in rows):
            raise InputError(
                f"{where}: gain {column.number}: no row says over what; give rows an 'over', or show metric"
            )
