"""Reproductions in a table of the report, and in a sentence for its head."""

from collections.abc import Sequence

from pipelines.report.published import as_printed
from pipelines.report.reproduction import Reproduced, Verdict, counted
from pipelines.report.tables import Entry, Printed, Table
from pipelines.spec.titles import number_title

COLOURS: dict[Verdict, str] = {
    "reproduced": "#00694B",
    "not reproduced": "#B03A00",
    "not settled": "#5C5C5C",
    "not run": "#767676",
}
"""All with a contrast above 4.5 on white."""


def reproduction_table(found: Sequence[Reproduced], caption: str) -> Table:
    """A row a published figure; footnotes hold its source and all that sets it apart."""
    notes = [_note(each) for each in found]
    unique = list(dict.fromkeys(notes))
    rows = tuple(_row(each, unique.index(note) + 1) for each, note in zip(found, notes, strict=True))
    header = ("row", "measured by", "published by", "here", "published", "difference", "allowed", "verdict")
    return Table("reproduction", caption, header, rows, notes=tuple(unique), text_columns=3, printed=Printed(keys=2))


def _row(each: Reproduced, note: int) -> tuple[Entry, ...]:
    plan, cell = each.plan, each.cell
    difference = "–" if each.difference is None else f"{each.difference:+z.2f}"
    return (
        Entry(plan.label),
        Entry(number_title(plan.number), detail=plan.dataset),
        Entry(plan.figure.measured_by, detail=plan.figure.measured_on),
        Entry(cell.text, muted=cell.mean is None, detail=cell.interval, marks=each.marks, behind=each.behind),
        Entry(as_printed(plan.figure.value), note=note),
        Entry(difference, detail=each.interval, muted=each.difference is None, behind=each.behind),
        Entry(f"± {plan.within:g}"),
        Entry(each.verdict, bold=each.verdict in ("reproduced", "not reproduced"), colour=COLOURS[each.verdict]),
    )


def _note(each: Reproduced) -> str:
    figure = each.plan.figure
    source = figure.source + (f" ({figure.note})" if figure.note else "")
    return "; ".join([source, *each.plan.differs, *each.remarks])


def summary(found: Sequence[Reproduced]) -> str:
    """``Of 10 published figures: 3 reproduced, 7 not run.``; empty where the study names none."""
    if not found:
        return ""
    figures = "one published figure" if len(found) == 1 else f"{len(found)} published figures"
    return f"Of {figures}: {counted(found)}."
