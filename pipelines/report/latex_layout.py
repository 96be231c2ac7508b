"""Which columns of a table stand beside each other so that it fits a page: in smaller type, or in blocks below each other."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.report.latex_columns import PrintedColumn, narrowed
from pipelines.report.latex_widths import FITTING, points
from pipelines.report.tables import Table


@dataclass(frozen=True)
class Type:
    """A size of type: its command, how wide it is beside 10 pt, a line's height, and the space beside a column, in points."""

    command: str
    scale: float
    line: float
    space: float


SIZES = (
    Type("", 1.0, 12.0, 6.0),
    Type(r"\small", 0.926, 11.0, 6.0),
    Type(r"\small", 0.926, 11.0, 4.0),
    Type(r"\footnotesize", 0.852, 9.5, 4.0),
)
"""Tried from the left until the table fits; in the last one it is cut."""
_PARAGRAPH, _NARROWEST = 130.0, 75.0
"""Points from which a text may be set as a paragraph, and of the narrowest one."""
Places = tuple[int, ...]


@dataclass(frozen=True)
class StackedBlock:
    """Columns that stand beside each other. ``places``: which of the table; ``width`` in points of the page."""

    size: Type
    places: Places
    columns: tuple[PrintedColumn, ...]
    groups: tuple[tuple[str, int], ...]

    @property
    def width(self) -> float:
        gaps = 2 * self.size.space * (len(self.columns) - 1)
        titles = sum(max(0.0, self._longest(title) - self.span(place)) for place, title in enumerate(self.groups))
        return gaps + titles + sum(column.width(self.size.scale) for column in self.columns)

    def span(self, group: int) -> float:
        """Points that the columns of a group take."""
        start = sum(span for _, span in self.groups[:group])
        inside = self.columns[start : start + self.groups[group][1]]
        return 2 * self.size.space * (len(inside) - 1) + sum(column.width(self.size.scale) for column in inside)

    def _longest(self, group: tuple[str, int]) -> float:
        return self.size.scale * max(map(points, group[0].split()), default=0.0)


@dataclass(frozen=True)
class _Cutter:
    """A table and its columns, in one type."""

    table: Table
    columns: Sequence[PrintedColumn]
    size: Type
    longest: float = _PARAGRAPH

    @property
    def keys(self) -> Places:
        """The columns that name a row: every block begins with them."""
        return tuple(range(min(self.table.printed.keys, len(self.columns))))

    def block(self, places: Places) -> StackedBlock:
        """These columns; wide texts share what room the others leave."""
        chosen, scale = [self.columns[place] for place in places], self.size.scale
        long = [not column.is_number and column.width(scale) > self.longest for column in chosen]
        fixed = sum(column.width(scale) for column, is_long in zip(chosen, long, strict=True) if not is_long)
        room = (FITTING - fixed - 2 * self.size.space * (len(chosen) - 1)) / max(1, sum(long))
        set_ = tuple(
            narrowed(column, max(room, _NARROWEST)) if is_long and column.width(scale) > room else column
            for column, is_long in zip(chosen, long, strict=True)
        )
        return StackedBlock(self.size, places, set_, _groups(self.table, places))

    def cut(self) -> list[StackedBlock]:
        """As few blocks as can be, with about as many columns in each."""
        whole = len(self.columns)
        fewest = self._filled(whole)
        even = self._filled(-(-(whole - len(self.keys)) // len(fewest)))
        return even if len(even) == len(fewest) else fewest

    def _filled(self, most: int) -> list[StackedBlock]:
        """Units from the left, up to ``most`` columns a block beside its keys."""
        found, taken = [], Places()
        for unit in self._units():
            is_full = len(taken + unit) > most or self.block(self.keys + taken + unit).width > FITTING
            if taken and is_full:
                found.append(self.block(self.keys + taken))
                taken = ()
            taken += unit
        return [*found, self.block(self.keys + taken)]

    def _units(self) -> Iterator[Places]:
        """What is not cut: columns of one group if they fit, and a published figure with what it stands beside."""
        spread = [number for number, (_, span) in enumerate(self.table.groups) for _ in range(span)]
        rest = range(len(self.keys), len(self.columns))
        for _, same in itertools.groupby(rest, key=lambda place: spread[place] if spread else place):
            group = tuple(same)
            fits = self.block(self.keys + group).width <= FITTING
            yield from [group] if fits else self._pairs(group)

    def _pairs(self, group: Places) -> Iterator[Places]:
        starts = [place for place in group if place == group[0] or not self.table.header[place].startswith("published")]
        ends = [*starts[1:], group[-1] + 1]
        yield from (tuple(range(start, end)) for start, end in zip(starts, ends, strict=True))


def layouts(table: Table, columns: Sequence[PrintedColumn]) -> Iterator[list[StackedBlock]]:
    """Ways to set the table, best first: whole, in larger or smaller type, or in the smallest cut into several blocks."""
    ways = [*(_Cutter(table, columns, size) for size in SIZES), _Cutter(table, columns, SIZES[-1], _NARROWEST)]
    whole = [way.block(tuple(range(len(columns)))) for way in ways]
    fitting = [[block] for block in whole if block.width <= FITTING]
    yield from fitting or [_Cutter(table, columns, SIZES[-1]).cut()]


def _groups(table: Table, places: Places) -> tuple[tuple[str, int], ...]:
    spread = [(number, title) for number, (title, span) in enumerate(table.groups) for _ in range(span)]
    if not spread:
        return ()
    found = [(title, len(list(same))) for (_, title), same in itertools.groupby(spread[place] for place in places)]
    return tuple(found) if any(title for title, _ in found) else ()
