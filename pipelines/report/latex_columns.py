"""The columns of a table as LaTeX sets them: S of siunitx for numbers, l, r or a paragraph for texts, and their widths."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.report.latex_widths import RAISED, broken, points
from pipelines.report.printing import NUMBER
from pipelines.report.tables import Entry, Table, escape_latex

_LETTERED = re.compile(r"[a-z]+")
_RIGHT = re.compile(r"[<+-]? ?\d.*|–|")
"""What stands flush right though it cannot be aligned: 5.7 s, 2,234, < 0.001."""
_EMPTY = ("", "–")


@dataclass(frozen=True)
class PrintedColumn:
    """How a column is set, and how wide at 10 pt.

    form      l, r, S[...] or p{...}
    title     its header
    before    points of a number, or of the whole text
    after     points of what follows a number and is not aligned; with ``has_after`` a column of LaTeX's own
    paragraph points that a paragraph takes, whatever the type; 0: it is none
    """

    form: str
    title: str
    before: float
    after: float = 0.0
    is_number: bool = False
    has_after: bool = False
    paragraph: float = 0.0

    @property
    def forms(self) -> list[str]:
        """As LaTeX counts them."""
        return [self.form, "@{}l"] if self.has_after else [self.form]

    @property
    def lines(self) -> tuple[str, ...]:
        """The header, broken where it is wider than what stands below it."""
        return broken(self.title, max(self.before + self.after, 30.0))

    def width(self, scale: float) -> float:
        """Of the column with its header, in type that is so much smaller than 10 pt."""
        return self.paragraph or scale * max(self.before + self.after, *map(points, self.lines))

    def header(self) -> str:
        """In LaTeX, over both parts."""
        text = stacked(self.lines)
        if self.has_after:
            return rf"\multicolumn{{2}}{{c}}{{{text}}}"
        return f"{{{text}}}" if self.is_number or len(self.lines) > 1 else text


class Signs:
    """The signs of footnotes: small letters, and capitals where small ones say which rows are alike."""

    def __init__(self, table: Table) -> None:
        marks = [part for row in table.rows for entry in row for part in entry.marks.split()]
        self._capital = any(map(_LETTERED.fullmatch, marks))

    def of(self, number: int) -> str:
        """Of a footnote, counted from 1."""
        return letter(number).upper() if self._capital else letter(number)


def letter(number: int) -> str:
    """a, b, ..., z, aa, ab, ...: the sign of a footnote, counted from 1; a digit would look like a power."""
    rest, place = divmod(number - 1, 26)
    return (letter(rest) if rest else "") + chr(ord("a") + place)


def stacked(lines: Sequence[str]) -> str:
    """Lines of a header in LaTeX, one below the other."""
    joined = r"\\".join(map(escape_latex, lines))
    return rf"\shortstack{{{joined}}}" if len(lines) > 1 else joined


def columns_of(table: Table, signs: Signs) -> list[PrintedColumn]:
    """One for each column of the table."""
    return [
        _column(table.header[place], [row[place] for row in table.rows], place, signs)
        for place in range(len(table.header))
    ]


def narrowed(column: PrintedColumn, width: float) -> PrintedColumn:
    """The same column as a paragraph of so many points."""
    form = rf">{{\raggedright\arraybackslash}}p{{{width:.0f}pt}}"
    return replace(column, form=form, before=width, paragraph=width)


def _column(title: str, entries: Sequence[Entry], place: int, signs: Signs) -> PrintedColumn:
    """S with the digits to keep room for, or a text where it cannot be aligned."""
    texts = [entry.text for entry in entries if entry.text not in _EMPTY]
    found = [NUMBER.fullmatch(text) for text in texts]
    numbers = [match for match in found if match]
    if place == 0 or len(numbers) < len(found):
        right = place > 0 and all(_RIGHT.fullmatch(text) for text in texts)
        width = max((points(entry.text) + raised_width(entry, signs) for entry in entries), default=0.0)
        return PrintedColumn("r" if right else "l", title, width)
    whole = max((len(match["whole"]) for match in numbers), default=2)
    part = max((len(match["part"] or "") for match in numbers), default=1)
    sign = "+" if any(match["sign"] for match in numbers) else ""
    form = f"S[table-format={sign}{whole}.{part}{', retain-explicit-plus' if sign else ''}]"
    before = points(sign + "0" * (whole + part) + "." * (part > 0))
    after = max((points(f" {unaligned(entry)}") + raised_width(entry, signs) for entry in entries), default=0.0)
    return PrintedColumn(
        form, title, before, after, True, any(unaligned(entry) or raised(entry, signs) for entry in entries)
    )


def unaligned(entry: Entry) -> str:
    """Unit, spread and letters of the rows that are alike: what follows a number on the line."""
    match = NUMBER.fullmatch(entry.text)
    own = [(match["unit"] or "").strip(), (match["spread"] or "").strip()] if match else []
    return " ".join(part for part in (*own, *filter(_LETTERED.fullmatch, entry.marks.split())) if part)


def raised(entry: Entry, signs: Signs) -> list[str]:
    """Other marks, and the sign of the footnote."""
    marks = [part for part in entry.marks.split() if not _LETTERED.fullmatch(part)]
    return marks + ([signs.of(entry.note)] if entry.note else [])


def raised_width(entry: Entry, signs: Signs) -> float:
    """Points of what is raised, with the thin space before it."""
    found = ",".join(raised(entry, signs))
    return RAISED * points(found) + 2.0 * bool(found)
