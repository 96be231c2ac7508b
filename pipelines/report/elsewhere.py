"""Published figures of the study's methods that were measured on other images or by another network."""

from collections.abc import Iterable, Sequence

from pipelines.report.comparison import Comparison
from pipelines.report.estimates import HEADLINE
from pipelines.report.published import (
    UNCONFIRMED,
    UNCONFIRMED_MEANS,
    WantedFigure,
    as_printed,
    choose,
    is_same_setting,
    wanted_for,
)
from pipelines.report.tables import Entry, Printed, Table
from pipelines.spec.published import Published, published_protocol

CONDITIONS = ("data set", "network", "epochs")
"""Headers of what a figure was measured with."""


def elsewhere_table(found: Sequence[Comparison], published: list[Published], caption: str) -> Table | None:
    """A row a method and protocol; None where there is none. What has a figure of its own setting is left out."""
    chosen: dict[Published, None] = {}
    for wanted in _wanted(found):
        if not any(is_same_setting(row, wanted) and _is_of(row, wanted) for row in published):
            match = choose(published, wanted)
            chosen |= {match: None} if match else {}
    rows = tuple(
        (
            Entry(row.method),
            Entry(row.measured_by),
            Entry(row.dataset),
            Entry(row.backbone or "not stated", muted=not row.backbone),
            Entry(str(row.epochs or "not stated"), muted=not row.epochs),
            Entry(row.source + (f" ({row.note})" if row.note else "")),
            Entry(as_printed(row.value), marks="" if row.confirmed else UNCONFIRMED),
        )
        for row in sorted(chosen, key=lambda row: (row.method, row.protocol, row.measured_on))
    )
    header = ("method", "protocol", *CONDITIONS, "source", "published (%)")
    printed = Printed(keys=2, below=(len(header) - 2,))
    remarks = () if all(row.confirmed for row in chosen) else (UNCONFIRMED_MEANS,)
    whole = Table("published", caption, header, rows, text_columns=len(header) - 1, remarks=remarks, printed=printed)
    return whole if rows else None


def _wanted(found: Sequence[Comparison]) -> Iterable[WantedFigure]:
    for comparison in found:
        for (row, column), cell in comparison.cells.items():
            if row.pretraining and cell.expected and column.metric == HEADLINE:
                wanted = wanted_for(
                    row.pretraining.spec, comparison.dataset, published_protocol(column.evaluation, "top1")
                )
                yield from [wanted] if wanted else []


def _is_of(row: Published, wanted: WantedFigure) -> bool:
    return (row.method, row.protocol) == (wanted.method, wanted.protocol)
