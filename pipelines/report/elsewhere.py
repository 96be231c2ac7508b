"""Published figures of the study's methods that were measured on other images or by another network."""

from collections.abc import Iterable, Sequence

from pipelines.report.comparison import Comparison
from pipelines.report.estimates import HEADLINE
from pipelines.report.published import WantedFigure, as_printed, choose, is_same_setting, wanted_for
from pipelines.report.tables import Entry, Table
from pipelines.spec.published import Published, published_protocol


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
            Entry(row.protocol),
            Entry(row.measured_on),
            Entry(row.source + (f" ({row.note})" if row.note else "")),
            Entry(as_printed(row.value)),
        )
        for row in sorted(chosen, key=lambda row: (row.method, row.protocol, row.measured_on))
    )
    header = ("method", "protocol", "measured on", "source", "published (%)")
    return Table("published", caption, header, rows, text_columns=4) if rows else None


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
