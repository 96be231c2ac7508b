"""A table of the page as a paper prints it: one spread a number, footnotes in place of details, groups of rows."""

import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pipelines.report.latex_widths import TEXT_WIDTH, points
from pipelines.report.tables import Entry, Table

Rows = tuple[tuple[Entry, ...], ...]
NUMBER = re.compile(
    r"(?P<number>(?P<sign>[+-]?)(?P<whole>\d+)(?:\.(?P<part>\d+))?)(?P<unit> points)?(?P<spread> ± [\d.]+| \[[^]]*\])?"
)
"""What can be aligned: 71.2, -0.4, +2.1 ± 0.3, 71.2 [70.1, 72.3]."""
_COUNTED = re.compile(r"(?P<text>.+?) \((?P<done>\d+)(?: of (?P<planned>\d+))?\)")
"""A cell with the number of its seeds behind it."""
_INTERVAL = re.compile(r"\[[^]]*\](?: [a-z ]+ only)?")
_ABSENT = {"missing": "not run yet", "not finite": "not finite"}
"""What a cell without a number says, and its footnote."""
_LONG = 0.4 * TEXT_WIDTH
"""Points from which a first column stands above its rows."""


class _Notes:
    """Footnotes in the order of use; the same text has one number."""

    def __init__(self, given: Iterable[str]) -> None:
        self.all = list(given)

    def number(self, text: str) -> int | None:
        """None for no text."""
        if text and text not in self.all:
            self.all.append(text)
        return self.all.index(text) + 1 if text else None

    def added(self, entry: Entry, text: str) -> int | None:
        """The number of the entry's own footnote with ``text`` behind it."""
        own = self.all[entry.note - 1] if entry.note else ""
        return self.number("; ".join(part for part in (own, text) if part))


def printed(table: Table) -> Table:
    """The same table for paper."""
    kept = _columns(table, range(len(table.header) - table.printed.left_out))
    remarks = tuple(remark for remark in kept.remarks if remark not in kept.printed.page_only)
    kept = dataclasses.replace(kept, caption=kept.printed.caption or kept.caption, remarks=remarks)
    return _numbered(_grouped(_noted(_counted(_below(kept)))))


def _columns(table: Table, places: Sequence[int], sections: tuple[tuple[int, str], ...] | None = None) -> Table:
    """The columns at these places."""
    spread = [group for group, span in table.groups for _ in range(span)]
    groups = [
        (title, len(list(same))) for title, same in itertools.groupby(spread[place] for place in places if spread)
    ]
    return dataclasses.replace(
        table,
        header=tuple(table.header[place] for place in places),
        rows=tuple(tuple(row[place] for place in places) for row in table.rows),
        groups=tuple(groups) if any(title for title, _ in groups) else (),
        text_columns=sum(place < table.text_columns for place in places),
        sections=table.sections if sections is None else sections,
    )


def _each(table: Table, change: Callable[[int, Entry], Entry]) -> Rows:
    return tuple(tuple(change(place, entry) for place, entry in enumerate(row)) for row in table.rows)


def _counted(table: Table) -> Table:
    """The number of seeds once below the table; footnotes where it is another."""
    found = [_COUNTED.fullmatch(entry.text) for row in table.rows for entry in row[table.text_columns :]]
    complete = Counter(
        match["done"] for match in found if match and not match["planned"] and NUMBER.fullmatch(match["text"])
    )
    usual = max(complete, key=lambda count: (complete[count], int(count)), default="")
    notes = _Notes(table.notes)

    def change(place: int, entry: Entry) -> Entry:
        match = _COUNTED.fullmatch(entry.text) if place >= table.text_columns else None
        if match is None:
            return entry
        if match["text"] in _ABSENT:
            return dataclasses.replace(entry, text="–", note=notes.added(entry, _ABSENT[match["text"]]))
        if not NUMBER.fullmatch(match["text"]) or not (usual or match["planned"]):
            return entry
        other = f"{match['done']} of {match['planned']} seeds" if match["planned"] else _seeds(match["done"])
        told = "" if match["done"] == usual and not match["planned"] else other
        return dataclasses.replace(entry, text=match["text"], note=notes.added(entry, told))

    rows = _each(table, change)
    seeds = (f"Over {_seeds(usual)}, unless a footnote says otherwise.",) if usual else ()
    return dataclasses.replace(table, rows=rows, notes=tuple(notes.all), remarks=(*seeds, *table.remarks))


def _seeds(count: str) -> str:
    return "one seed" if count == "1" else f"{count} seeds"


def _noted(table: Table) -> Table:
    """An interval beside a number that has no other spread; flags below the table; the details of a text behind it."""
    notes = _Notes(table.notes)

    def change(place: int, entry: Entry) -> Entry:
        if place < table.text_columns:
            return dataclasses.replace(entry, text=f"{entry.text} ({entry.detail})" if entry.detail else entry.text)
        parts = entry.detail.split("; ") if entry.detail else []
        intervals = [part for part in parts if _INTERVAL.fullmatch(part)]
        flags = "; ".join(part for part in parts if part not in intervals) if entry.alert else ""
        match = NUMBER.fullmatch(entry.text)
        bare = match is not None and not match["spread"] and len(intervals) == 1 and intervals[0].endswith("]")
        text = f"{entry.text} {intervals[0]}" if bare else entry.text
        return dataclasses.replace(entry, text=text, note=notes.added(entry, flags))

    return dataclasses.replace(table, rows=_each(table, change), notes=tuple(notes.all))


def _grouped(table: Table) -> Table:
    """A first column that is long, or says the same in row after row, as headings above its rows."""
    first = [row[0].text for row in table.rows]
    runs = [(text, len(list(same))) for text, same in itertools.groupby(first)]
    alike = 0 < 2 * len(runs) <= len(first)
    long = max(map(points, first), default=0.0) > _LONG
    if table.sections or table.text_columns < 2 or not (alike or long):
        return table
    starts = itertools.accumulate((count for _, count in runs), initial=0)
    sections = tuple((start, text) for start, (text, _) in zip(starts, runs, strict=False))
    keys = dataclasses.replace(table.printed, keys=max(1, table.printed.keys - 1))
    return dataclasses.replace(_columns(table, range(1, len(table.header)), sections), printed=keys)


def _below(table: Table) -> Table:
    """Columns of sentences as footnotes to the last number of their row."""
    notes, below = _Notes(table.notes), table.printed.below

    def noted(row: tuple[Entry, ...]) -> tuple[Entry, ...]:
        told = "; ".join(row[place].text for place in below)
        return (*row[:-1], dataclasses.replace(row[-1], note=notes.added(row[-1], told)))

    rows = tuple(noted(row) for row in table.rows)
    places = [place for place in range(len(table.header)) if place not in below]
    return _columns(dataclasses.replace(table, rows=rows, notes=tuple(notes.all)), places)


def _numbered(table: Table) -> Table:
    """Footnotes in the order in which a reader meets them; those that nothing refers to are left out."""
    used = list(dict.fromkeys(entry.note for row in table.rows for entry in row if entry.note))
    places = {note: number for number, note in enumerate(used, start=1)}

    def change(_: int, entry: Entry) -> Entry:
        return dataclasses.replace(entry, note=places[entry.note] if entry.note else None)

    return dataclasses.replace(table, rows=_each(table, change), notes=tuple(table.notes[note - 1] for note in used))
