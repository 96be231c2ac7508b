"""Whether the protocols of a data set put the methods in the same order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from pipelines.colours import colour
from pipelines.report.behind import Behind, of_cell, of_parts
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.tables import Entry, Printed, Table
from pipelines.statistics.ranks import FEWEST, Agreement, agreement, mean_ranks

AGREEMENT = (
    "How far two protocols agree on the order of methods: Kendall's tau-b, 1 for the same order, -1 for the reverse."
)
"""The caption in a paper, which has no second lines of cells."""


def ranks_tables(found: Sequence[Comparison], caption: str) -> tuple[Table, ...]:
    """Of every data set with two protocols and enough methods: the rank of each method, and how far the orders agree."""
    tables = []
    for comparison in found:
        columns, rows, scores = _scores(comparison)
        if len(columns) > 1:
            ending = "" if len(found) == 1 else f"-{comparison.dataset.short_name}"
            tables += [
                _ranks(f"ranks{ending}", caption, comparison, columns, rows, scores),
                _agreement(f"rank_correlations{ending}", caption, comparison, columns, scores),
            ]
    return tuple(tables)


def _scores(comparison: Comparison) -> tuple[list[Column], list[Row], NDArray[np.float64]]:
    """Protocols that enough methods share, those methods, and their means (P, M); NaN where seeds are missing."""
    columns = [column for column in comparison.columns if len(comparison.ranking(column)) >= FEWEST]
    ranked = {column: comparison.ranking(column) for column in columns}
    rows = [row for row in comparison.rows if any(row in each for each in ranked.values())]
    means = [
        [_mean(comparison, row, column) if row in ranked[column] else np.nan for row in rows] for column in columns
    ]
    return columns, rows, np.array(means, dtype=np.float64)


def _mean(comparison: Comparison, row: Row, column: Column) -> float:
    mean = comparison.cells[row, column].mean
    return np.nan if mean is None else mean


def _ranks(
    name: str, caption: str, comparison: Comparison, columns: list[Column], rows: list[Row], scores: NDArray[np.float64]
) -> Table:
    """A row a method, in the order of its mean rank; those without all protocols last, with no mean."""
    ranks = np.stack([rankdata(-each, nan_policy="omit") for each in scores])
    means = mean_ranks(scores)
    order = sorted(range(len(rows)), key=lambda i: (np.isnan(means[i]), means[i]))
    lines = []
    for i in order:
        cells = [of_cell(comparison, rows[i], column) for column in columns]
        over_all = of_parts(f"{comparison.dataset.short_name} · {rows[i].title} · ranks over protocols", cells)
        lines.append(
            (
                Entry(rows[i].title, colour=colour(rows[i].method)),
                *(_rank(rank, behind) for rank, behind in zip(ranks[:, i], cells, strict=True)),
                _rank(means[i], over_all),
                Entry(f"{np.nanmin(ranks[:, i]):g} to {np.nanmax(ranks[:, i]):g}", behind=over_all),
            )
        )
    header = ("method", *(column.title for column in columns), "mean rank", "lowest to highest")
    groups = (("", 1), (comparison.dataset.short_name, len(columns)), ("over protocols", 2))
    return Table(name, caption, header, tuple(lines), groups)


def _agreement(
    name: str, caption: str, comparison: Comparison, columns: list[Column], scores: NDArray[np.float64]
) -> Table:
    """Kendall's tau-b of every two protocols, Spearman's rho and the number of shared methods beside it."""
    found = agreement(scores)
    lines = tuple(
        (
            Entry(column.title),
            *(
                _correlation(found, i, j, _both(comparison, column, columns[j])) if j < i else Entry("")
                for j in range(len(columns) - 1)
            ),
        )
        for i, column in enumerate(columns)
        if i
    )
    header = ("protocol", *(column.title for column in columns[:-1]))
    groups = (("", 1), (comparison.dataset.short_name, len(columns) - 1))
    return Table(name, caption, header, lines, groups, printed=Printed(AGREEMENT))


def _both(comparison: Comparison, one: Column, other: Column) -> Behind | None:
    """The cells that the agreement of two protocols is worked out of."""
    cells = [of_cell(comparison, row, column) for column in (one, other) for row in comparison.ranking(column)]
    return of_parts(f"{comparison.dataset.short_name} · order by {one.title} and by {other.title}", cells)


def _rank(rank: float, behind: Behind | None) -> Entry:
    return Entry("–", muted=True) if np.isnan(rank) else Entry(f"{rank:.1f}".removesuffix(".0"), behind=behind)


def _correlation(found: Agreement, i: int, j: int, behind: Behind | None) -> Entry:
    kendall, spearman, shared = found.kendall[i, j], found.spearman[i, j], int(found.shared[i, j])
    if np.isnan(kendall):
        return Entry("–", muted=True, detail=f"{shared} methods")
    return Entry(f"{kendall:.2f}", detail=f"rho {spearman:.2f}, {shared} methods", behind=behind)
