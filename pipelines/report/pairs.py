"""Two rows of a protocol side by side: the paired difference, and tests of it over seeds and over test images."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipelines.colours import colour
from pipelines.report.behind import of_cell, of_parts
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.noise import compared
from pipelines.report.tables import Entry, Printed, Table, csv_text
from pipelines.statistics.paired import Difference, pairs_needed

MOST_ROWS = 12
"""Rows of a protocol of which all pairs are told; of more only those with the best."""
ALL = "All pairs are in tables/pairs.csv."
PRINTED = (
    "The best method of every protocol beside each other row: the mean difference in percentage points over the seeds that "
    "both have, its 95 % interval, and p of the exact sign-flip test over these seeds."
)
"""The caption in a paper, which leaves the test over images out."""
HEADER = (
    *("dataset", "protocol", "metric", "first", "second", "difference_points", "low_points", "high_points"),
    *("interval_counts", "seeds", "p_seeds", "smallest_p_seeds", "first_better_images", "second_better_images", "p_images"),
)  # fmt: skip


class Pair(NamedTuple):
    """The first row has the higher mean; ``found`` is it minus the second, in points."""

    column: Column
    first: Row
    second: Row
    found: Difference


def pairs(comparison: Comparison) -> Iterator[Pair]:
    """Of every protocol; guesses, which are worked out, and rows without a value have none."""
    for column in comparison.columns:
        cells = {row: comparison.cells[row, column] for row in comparison.rows}
        means = {row: cell.mean for row, cell in cells.items() if cell.mean is not None and not cell.is_exact}
        ordered = sorted(means, key=lambda row: -means[row])
        best, few = comparison.best(column), len(ordered) <= MOST_ROWS
        for first, second in itertools.combinations(ordered, 2):
            if (few or best in (first, second)) and (found := compared(cells[first], cells[second])):
                yield Pair(column, first, second, found)


def pairs_tables(found: Sequence[tuple[Comparison, Sequence[Pair]]], caption: str) -> tuple[Table, ...]:
    """A table a data set: the best method of every protocol beside each other row."""
    tables = []
    for comparison, each in found:
        shown = [pair for pair in each if comparison.best(pair.column) in (pair.first, pair.second)]
        if shown:
            ending = "" if len(found) == 1 else f"-{comparison.dataset.short_name}"
            rows = tuple(_row(comparison, pair) for pair in shown)
            tables.append(_table(f"pairs{ending}", caption, shown, rows))
    return tuple(tables)


def _table(name: str, caption: str, shown: Sequence[Pair], rows: tuple[tuple[Entry, ...], ...]) -> Table:
    header = (
        "protocol",
        "higher",
        "lower",
        "difference",
        "seeds",
        "p over seeds",
        "images better",
        "worse",
        "p over images",
    )
    printed = Printed(PRINTED, keys=3, left_out=3, page_only=(ALL,))
    remarks = [ALL]
    if few := sorted({pair.found.test.n for pair in shown if pair.found.test.n < pairs_needed()}):
        remarks.append(
            f"{pairs_needed()} pairs of seeds are needed to reach 0.05: with {' or '.join(map(str, few))} the test over seeds "
            "cannot show a difference, however large, and the smallest p that it can give stands in brackets."
        )
    return Table(name, caption, header, rows, text_columns=3, remarks=tuple(remarks), printed=printed)


def _row(comparison: Comparison, pair: Pair) -> tuple[Entry, ...]:
    estimate, test, images = pair.found.estimate, pair.found.test, pair.found.images
    interval = "" if estimate.low is None else f"[{estimate.low:z.1f}, {estimate.high:z.1f}]"
    least = f" ({test.smallest:.2g})" if test.n < pairs_needed() else ""
    over_images = (str(images.wins), str(images.losses), _p(images.p)) if images else ("–", "–", "–")
    place = f"{comparison.dataset.short_name} · {pair.first.title} minus {pair.second.title} · {pair.column.title}"
    behind = of_parts(place, [of_cell(comparison, row, pair.column) for row in (pair.first, pair.second)])
    return (
        Entry(pair.column.title),
        *(Entry(row.title, muted=row.is_floor, colour=_colour(row)) for row in (pair.first, pair.second)),
        Entry(f"{estimate.mean:z.1f}", detail=interval, behind=behind),
        Entry(str(test.n), behind=behind),
        Entry(_p(test.p) + least, behind=behind),
        *(Entry(text, muted=images is None, behind=behind if images else None) for text in over_images),
    )


def _colour(row: Row) -> str:
    return colour(row.origin if row.is_floor else row.label)


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def pairs_csv(found: Sequence[tuple[Comparison, Sequence[Pair]]]) -> str:
    """Every pair as CSV text, numbers in full; what is not known is empty."""
    return csv_text([list(HEADER), *(_line(comparison, pair) for comparison, each in found for pair in each)])


def _line(comparison: Comparison, pair: Pair) -> list[str]:
    estimate, test, images = pair.found.estimate, pair.found.test, pair.found.images
    ends = ["" if end is None else f"{end:.6f}" for end in (estimate.mean, estimate.low, estimate.high)]
    over_images = [str(images.wins), str(images.losses), f"{images.p:.6g}"] if images else ["", "", ""]
    return [
        *(
            comparison.dataset.short_name,
            pair.column.protocol,
            str(pair.column.metric),
            pair.first.title,
            pair.second.title,
        ),
        *(*ends, estimate.counts, str(test.n), f"{test.p:.6g}", f"{test.smallest:.6g}", *over_images),
    ]
