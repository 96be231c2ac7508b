"""The files of a declared table: LaTeX, Markdown, CSV and HTML, the same bytes for the same records."""

from html import escape
from pathlib import Path

import pandas
from jinja2 import Template
from pandas.io.formats.style import Styler

from pipelines.files import write_text
from pipelines.report.latex_columns import letter
from pipelines.report.paper_tables import Absent, Filled
from pipelines.report.siunitx import to_siunitx
from pipelines.report.tables import Entry, Table, csv_text, to_markdown

FILL = "Cells that are not run yet, and the commands that fill them (first: python -m pipelines plan STUDY --write):"


def write_table(filled: Filled, study: str, folder: Path, template: Template) -> list[Path]:
    """Write NAME.tex, .md, .csv and .html into ``folder``, each in one move; the paths. ``template``: of the page."""
    table = filled.table
    made = f"Table {table.name} of the study {study}, written by python -m pipelines tables from the records."
    page = template.render(table=table, style=to_html(table), notes=_lettered(table), absent=filled.absent, study=study)
    texts = {
        "tex": to_siunitx(table, made, _absent_lines(filled.absent)),
        "md": to_markdown(table) + "".join(f"\n{line}" for line in _absent_markdown(filled.absent)),
        "csv": _to_csv(filled),
        "html": page,
    }
    written = []
    for ending, text in texts.items():
        path = folder / f"{table.name}.{ending}"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
        written.append(path)
    return written


def to_html(table: Table) -> str:
    """The table element, by pandas' Styler; nothing in it depends on the run."""
    spread = [title for title, span in table.groups for _ in range(span)] or [""] * len(table.header)
    pairs = list(zip(spread, table.header, strict=True))
    columns = pandas.MultiIndex.from_tuples(pairs) if table.groups else pandas.Index(table.header)
    cells = [[_html_entry(entry) for entry in row] for row in table.rows]
    headings = dict(table.sections)
    for number in sorted(headings, reverse=True):
        cells.insert(number, [f"<em>{escape(headings[number])}</em>", *[""] * (len(table.header) - 1)])
    frame = pandas.DataFrame(cells, columns=columns.map(_escaped))
    styler: Styler = frame.style
    styler.hide(axis="index").set_uuid(table.name).set_caption(escape(table.caption))
    styler.set_table_attributes('class="paper"')
    return str(styler.to_html(exclude_styles=True, sparse_columns=True))


def _escaped(title: object) -> object:
    return tuple(map(escape, title)) if isinstance(title, tuple) else escape(str(title))


def _html_entry(entry: Entry) -> str:
    raised = ",".join([*([entry.marks] if entry.marks else []), *([letter(entry.note)] if entry.note else [])])
    return escape(entry.text) + (f"<sup>{escape(raised)}</sup>" if raised else "")


def _lettered(table: Table) -> list[tuple[str, str]]:
    return [(letter(number), note) for number, note in enumerate(table.notes, start=1)]


def _absent_lines(absent: tuple[Absent, ...]) -> list[str]:
    lines = [FILL] if absent else []
    for cell in absent:
        lines += [f"{cell.place}: {', '.join(cell.keys)}", *(f"  {command}" for command in cell.commands)]
    return lines


def _absent_markdown(absent: tuple[Absent, ...]) -> list[str]:
    lines = [FILL, ""] if absent else []
    for cell in absent:
        keys = ", ".join(f"`{key}`" for key in cell.keys)
        lines += [f"- {cell.place}: {keys}", *(f"  - `{command}`" for command in cell.commands)]
    return [*lines, ""] if lines else []


def _to_csv(filled: Filled) -> str:
    """The texts as they are printed; behind them, where there are any, footnotes and the jobs that are not run."""
    table, titles = filled.table, filled.table.titles
    headings, heading = dict(table.sections), ""
    rows = []
    for number, row in enumerate(table.rows):
        heading = headings.get(number, heading)
        notes = [
            f"{title}: {table.notes[entry.note - 1]}" for title, entry in zip(titles, row, strict=True) if entry.note
        ]
        lacking = dict.fromkeys(key for cell in filled.absent if cell.row == number for key in cell.keys)
        rows.append([heading, *(entry.text + entry.marks for entry in row), "; ".join(notes), " ".join(lacking)])
    kept = [0] * bool(headings) + list(range(1, len(titles) + 1))
    kept += [len(titles) + 1] * bool(table.notes) + [len(titles) + 2] * bool(filled.absent)
    whole = [["group", *titles, "notes", "jobs not run"], *rows]
    return csv_text([[row[place] for place in kept] for row in whole])
