"""A table as data, and the same table as Markdown and CSV; siunitx.py makes the LaTeX, the page's template the HTML."""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field

from pipelines.report.behind import Behind

_GREEK = {
    chr(code): unicodedata.name(chr(code)).rpartition(" ")[2].lower().replace("lamda", "lambda")
    for code in range(ord("α"), ord("ω") + 1)
    if chr(code) not in "ος"
}
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    **{letter: rf"$\{name}$" for letter, name in _GREEK.items()},
    "–": "--",
    "—": "---",
    "×": r"$\times$",
    "−": r"$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "→": r"$\rightarrow$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\u2060": "{}",
    "[": "{[}",
    "]": "{]}",
}


@dataclass(frozen=True)
class Entry:
    """One cell: its text, and how it is set.

    detail   a second, smaller line (what a published figure was measured on; flags)
    note     number of the footnote it refers to
    marks    raised after the text, explained in the table's remarks
    alert    the detail is a warning
    colour   a swatch before the text, #rrggbb
    behind   what the number is made of: the page links to it, other forms leave it out
    address  of a file that the text names, from the page; other forms leave it out
    """

    text: str
    bold: bool = False
    muted: bool = False
    detail: str = ""
    alert: bool = False
    note: int | None = None
    marks: str = ""
    colour: str | None = None
    behind: Behind | None = field(default=None, compare=False)
    address: str = ""


@dataclass(frozen=True)
class Printed:
    """What LaTeX for a paper does otherwise than the page.

    caption     none: the table's own
    keys        how many columns from the left name a row; they are repeated where a table is cut
    left_out    how many columns from the right a paper has no room for
    below       columns of sentences, which stand as footnotes to the row
    page_only   remarks on the second lines of cells, which only the page has
    """

    caption: str = ""
    keys: int = 1
    left_out: int = 0
    below: tuple[int, ...] = ()
    page_only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A grid with a header. ``groups``: (title, columns it spans) above the header, from the left; may be empty.

    ``name`` is the stem of the files; ``text_columns``: how many columns from the left are set flush left; ``notes``:
    footnotes, numbered from 1; ``remarks``: what has to be known to read it, below it. ``sections``: (row, heading) of
    every row before which a heading stands. ``label``: for \\ref; none: tab:NAME. ``printed``: how LaTeX differs.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    groups: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    text_columns: int = 1
    remarks: tuple[str, ...] = ()
    sections: tuple[tuple[int, str], ...] = ()
    label: str = ""
    printed: Printed = Printed()

    @property
    def titles(self) -> list[str]:
        """The header in one line: group titles before the columns' own, separated by a middle dot."""
        spread = [title for title, span in self.groups for _ in range(span)] or [""] * len(self.header)
        return [f"{group} · {title}" if group else title for group, title in zip(spread, self.header, strict=True)]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.header) for row in self.rows)
        assert not self.groups or sum(span for _, span in self.groups) == len(self.header)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SIGNED = re.compile(r"[+-]\d[\d. ±()\[\]–,;%e-]*(?:points[\d. ,\[\]-]*)?(?: to [+-]?[\d.]+)?", re.ASCII)


def escape_latex(text: str) -> str:
    """``text`` on one line, with every character that means something to LaTeX spelt out."""
    apart = re.sub("-(?=-)", "-\u2060", _line(text))  # two hyphens would become a dash
    return "".join(_LATEX.get(letter, letter) for letter in apart)


def to_markdown(table: Table) -> str:
    """A pipe table; group titles stand before the header's own, separated by a middle dot."""
    rules = ["---"] * table.text_columns + ["---:"] * (len(table.header) - table.text_columns)
    lines = [table.caption, "", _pipes(table.titles), _pipes(rules)]
    headings = dict(table.sections)
    for number, row in enumerate(table.rows):
        if number in headings:
            lines.append(_pipes([f"**{headings[number]}**", *[""] * (len(table.header) - 1)]))
        lines.append(_pipes([_markdown_entry(entry) for entry in row]))
    lines += [line for remark in table.remarks for line in ("", remark)]
    lines += [""] if table.notes else []
    lines += [f"{number}. {note}" for number, note in enumerate(table.notes, start=1)]
    return "\n".join([*lines, ""])


def to_csv(table: Table) -> str:
    """The texts as they are printed, details in brackets; group titles as in Markdown."""
    return csv_text([table.titles, *([_plain(entry) for entry in row] for row in table.rows)])


def harmless(text: str) -> str:
    """``text`` as a CSV cell that no spreadsheet takes for a formula; a formula gets an apostrophe before it.

    Numbers with a sign, and what is printed beside them, stay as they are. A carriage return, which readers take for the
    end of the row, becomes a space.
    """
    formula = text.lstrip(" ").startswith(_FORMULA) and not _SIGNED.fullmatch(text.strip(" "))
    return ("'" if formula else "") + text.replace("\r", " ")


def csv_text(rows: list[list[str]]) -> str:
    """Rows as CSV text with Unix line ends."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([harmless(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _markdown_entry(entry: Entry) -> str:
    text = (f"**{entry.text}**" if entry.bold else entry.text) + (f" {entry.marks}" if entry.marks else "")
    text += f" ({entry.detail})" if entry.detail else ""
    return text + (f" [{entry.note}]" if entry.note else "")


def _plain(entry: Entry) -> str:
    text = f"{entry.text} {entry.marks}" if entry.marks else entry.text
    return f"{text} ({entry.detail})" if entry.detail else text


def _pipes(cells: list[str]) -> str:
    """A row; no cell ends it, begins another, or holds an element of HTML, which Markdown lets through."""
    kept = [_line(cell).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;") for cell in cells]
    return "| " + " | ".join(kept) + " |"


def _line(text: str) -> str:
    """Line ends and other control characters as blanks: an empty line ends a cell or a caption."""
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)
