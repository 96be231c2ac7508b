"""How the methods do on several data sets, and their mean rank over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.colours import colour
from pipelines.report.behind import Behind, of_cell, of_parts
from pipelines.report.cells import Cell, Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.tables import Entry, Table
from pipelines.statistics.ranks import mean_ranks

NOT_PLANNED = Cell({}, 0)


@dataclass(frozen=True)
class RankPlace:
    """One column of a protocol: where encoders were evaluated and where they had been pretrained."""

    title: str
    comparison: Comparison
    rows: Mapping[str, Row]
    """Label -> its row of the comparison, for those that belong here."""

    def of(self, label: str, column: Column) -> Cell:
        """A method's cell; one that nobody planned where there is none."""
        row = self.rows.get(label)
        return self.comparison.cells.get((row, column), NOT_PLANNED) if row else NOT_PLANNED

    def behind(self, label: str, column: Column) -> Behind | None:
        """What that cell is made of."""
        return of_cell(self.comparison, self.rows[label], column) if self.of(label, column).expected else None


def transfer_table(found: Sequence[Comparison], caption: str) -> Table | None:
    """A row a method, and for every protocol a column a data set; None for a study of one data set.

    Ranks are among the rows that compete and are complete everywhere: 1 is the highest mean.
    """
    if len(found) < 2:
        return None
    columns = list(dict.fromkeys(column for each in found for column in each.columns))
    places, rows = places_of(found), _rows(found)
    ranks = {column: mean_ranks_of(found, column) for column in columns}
    lines = []
    for label, row in rows.items():
        line = [Entry(label, colour=colour(row.method))]
        for column in columns:
            behind = [place.behind(label, column) for place in places]
            line += [_mean(place.of(label, column), made_of) for place, made_of in zip(places, behind, strict=True)]
            rank = ranks[column].get(label)
            line.append(_rank(rank, of_parts(f"{label} · {column.title} · mean rank over data sets", behind)))
        lines.append(tuple(line))
    header = ("method", *([place.title for place in places] + ["mean rank"]) * len(columns))
    groups = (("", 1), *((column.title, len(places) + 1) for column in columns))
    return Table("transfer", caption, header, tuple(lines), groups)


def places_of(found: Sequence[Comparison]) -> list[RankPlace]:
    """The columns of one protocol over all data sets."""
    return [place for each in found for place in _places(each)]


def mean_ranks_of(found: Sequence[Comparison], column: Column) -> dict[str, float]:
    """Label -> its mean rank by a protocol, of the rows that compete and are complete everywhere."""
    competing = [label for label, row in _rows(found).items() if row.competes]
    return _ranks(places_of(found), column, competing)


def _rows(found: Sequence[Comparison]) -> dict[str, Row]:
    return {row.label: row for each in found for row in each.rows if not row.is_floor}


def _places(comparison: Comparison) -> list[RankPlace]:
    """The data set, once for every data set that encoders evaluated on it were pretrained on."""
    name = comparison.dataset.short_name
    origins = dict.fromkeys(row.trained_on for row in comparison.rows if row.trained_on)
    return [
        RankPlace(
            name if origin in (name, None) else f"{name} (from {origin})",
            comparison,
            {row.label: row for row in comparison.rows if row.trained_on == origin or row.origin == "checkpoint"},
        )
        for origin in origins or (None,)
    ]


def _ranks(places: Sequence[RankPlace], column: Column, labels: Sequence[str]) -> dict[str, float]:
    """Label -> its mean rank over the places where this was planned at all."""
    asked = [place for place in places if any(place.of(label, column).expected for label in labels)]
    return ranks_of({label: [place.of(label, column) for place in asked] for label in labels})


def ranks_of(cells: Mapping[str, Sequence[Cell]]) -> dict[str, float]:
    """Label -> its mean rank over its cells, one a place in the same order; of the labels that are complete everywhere."""
    scores = {}
    for label, found in cells.items():
        means = [cell.mean for cell in found if cell.is_complete and cell.mean is not None]
        if found and len(means) == len(found):
            scores[label] = means
    if not scores:
        return {}
    by_place = [list(each) for each in zip(*scores.values(), strict=True)]
    return dict(zip(scores, map(float, mean_ranks(by_place)), strict=True))


def _mean(cell: Cell, behind: Behind | None) -> Entry:
    if not cell.expected:
        return Entry("–", muted=True)
    if cell.mean is None:
        return Entry("missing", muted=True, behind=behind)
    count = "" if cell.is_complete else f" ({cell.n} of {cell.expected})"
    return Entry(f"{cell.mean:.1f}{count}", behind=behind)


def _rank(rank: float | None, behind: Behind | None) -> Entry:
    return Entry("–", muted=True) if rank is None else Entry(f"{rank:.1f}", behind=behind)
