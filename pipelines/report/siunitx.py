"""A table as LaTeX for a paper: booktabs, numbers in S columns of siunitx, footnotes by letters."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.report.tables import Entry, Table, escape_latex, latex_groups

NUMBER = re.compile(r"(?P<number>(?P<sign>[+-]?)(?P<whole>\d+)(?:\.(?P<part>\d+))?)(?P<spread> ± [\d.]+| \[.*\])?")
"""What can be aligned: 71.2, -0.4, +2.1 ± 0.3, 71.2 [70.1, 72.3]."""
PACKAGES = r"\usepackage{booktabs,graphicx,siunitx}"
_ALONE = (
    r"\expandafter\ifx\csname @nodocument\endcsname\relax\else",
    rf"\documentclass{{article}}\usepackage[margin=20mm]{{geometry}}{PACKAGES}",
    r"\begin{document}\input{\jobname.tex}\end{document}",
    r"\fi",
)
"""Makes a document of a file that no document has begun for. Inside one, @nodocument is \\relax, and all this is skipped."""
_SET = r"\centering\setlength{\belowcaptionskip}{4pt}"
"""A caption above a table touches its rule in most classes."""
_SMALL, _SHRUNK = 80, 100
"""Letters a line from which on the type is smaller, and from which on the table is made as narrow as the text."""
_SHRINK = (r"\sbox0{%", r"\end{tabular}}\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi")


@dataclass(frozen=True)
class _Column:
    """How a column is set: ``form`` l or S, and whether a second part follows for spread and footnotes."""

    form: str
    is_number: bool
    has_after: bool

    @property
    def forms(self) -> list[str]:
        return [self.form, "@{}l"] if self.has_after else [self.form]

    def title(self, text: str) -> str:
        """The header of the column, over both parts."""
        if self.has_after:
            return rf"\multicolumn{{2}}{{c}}{{{escape_latex(text)}}}"
        return f"{{{escape_latex(text)}}}" if self.is_number else escape_latex(text)


def to_siunitx(table: Table, above: str, below: Iterable[str] = ()) -> str:
    """A table environment that stands in a paper by \\input, and that compiles as it is. ``above``, ``below``: comments."""
    columns = [_Column("l", False, False)]
    columns += [_column([row[place] for row in table.rows]) for place in range(1, len(table.header))]
    wide = _width(table)
    before, end = _SHRINK if wide > _SHRUNK else ("", r"\end{tabular}")
    lines = [f"% {above}", f"% In a paper: {PACKAGES} and \\input.", *_ALONE]
    lines += [r"\begin{table}[htbp]", _SET + (r"\small" if wide > _SMALL else "")]
    lines += [rf"\caption{{{escape_latex(table.caption)}}}", rf"\label{{{table.label or f'tab:{table.name}'}}}"]
    lines += [before] if before else []
    lines += [r"\begin{tabular}{@{}", *(form for column in columns for form in column.forms), r"@{}}", r"\toprule"]
    if table.groups:
        lines += latex_groups(_widened(table.groups, columns))
    titles = " & ".join(column.title(title) for column, title in zip(columns, table.header, strict=True))
    lines += [titles + r" \\", r"\midrule", *_body(table, columns), r"\bottomrule", end]
    lines += [*_below(table), r"\end{table}", *(f"% {line}" for line in below)]
    return "\n".join([*lines, ""])


def letter(number: int) -> str:
    """a, b, ..., z, aa, ab, ...: the sign of a footnote, counted from 1; a digit would look like a power."""
    rest, place = divmod(number - 1, 26)
    return (letter(rest) if rest else "") + chr(ord("a") + place)


def _width(table: Table) -> int:
    """Letters in a line of the table, about."""
    texts = [[title, *(row[place].text for row in table.rows)] for place, title in enumerate(table.header)]
    return sum(max(map(len, column)) + 2 for column in texts)


def _column(entries: Sequence[Entry]) -> _Column:
    """S with the digits to keep room for, or l where a text cannot be aligned."""
    texts = [entry.text for entry in entries if entry.text not in ("", "–")]
    found = [NUMBER.fullmatch(text) for text in texts]
    numbers = [match for match in found if match]
    if len(numbers) < len(found):
        return _Column("l", False, False)
    whole = max((len(match["whole"]) for match in numbers), default=2)
    part = max((len(match["part"] or "") for match in numbers), default=1)
    sign = "+" if any(match["sign"] for match in numbers) else ""
    form = f"S[table-format={sign}{whole}.{part}{', retain-explicit-plus' if sign else ''}]"
    return _Column(form, True, any(_after(entry) for entry in entries))


def _widened(groups: Sequence[tuple[str, int]], columns: Sequence[_Column]) -> tuple[tuple[str, int], ...]:
    """The groups over the columns that LaTeX counts."""
    found, start = [], 0
    for title, span in groups:
        found.append((title, sum(len(column.forms) for column in columns[start : start + span])))
        start += span
    return tuple(found)


def _body(table: Table, columns: Sequence[_Column]) -> list[str]:
    headings, lines, whole = dict(table.sections), [], sum(len(column.forms) for column in columns)
    for number, row in enumerate(table.rows):
        if number in headings:
            lines += [r"\addlinespace"] * (number > 0)
            lines.append(rf"\multicolumn{{{whole}}}{{@{{}}l}}{{\emph{{{escape_latex(headings[number])}}}}} \\")
        lines.append(" & ".join(_cell(entry, column) for entry, column in zip(row, columns, strict=True)) + r" \\")
    return lines


def _cell(entry: Entry, column: _Column) -> str:
    after, text = _after(entry), escape_latex(entry.text)
    if not column.is_number:
        return text + after
    if match := NUMBER.fullmatch(entry.text):
        text = match["number"]
    elif text:
        text = f"{{{text}}}"
    return f"{text} & {after}" if column.has_after else text


def _after(entry: Entry) -> str:
    """What follows a number and is not aligned with others: its spread, marks and footnotes."""
    match = NUMBER.fullmatch(entry.text)
    spread = rf"\,{escape_latex(match['spread'].strip())}" if match and match["spread"] else ""
    spread = spread.replace(r"$\pm$ ", r"$\pm$\,")
    signs = [escape_latex(entry.marks)] * bool(entry.marks) + ([letter(entry.note)] if entry.note else [])
    return spread + (rf"\textsuperscript{{{','.join(signs)}}}" if signs else "")


def _below(table: Table) -> list[str]:
    """Footnotes and remarks, a line each."""
    notes = [rf"\textsuperscript{{{letter(i)}}}\,{escape_latex(note)}" for i, note in enumerate(table.notes, start=1)]
    lines = [*(escape_latex(remark) for remark in table.remarks), *notes]
    if not lines:
        return []
    joined = [f"{line}\\par" for line in lines]
    return [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright", *joined, r"\end{minipage}"]
