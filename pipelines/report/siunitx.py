"""A table as LaTeX for a paper: booktabs, numbers in S columns of siunitx, footnotes by letters, no wider than a page."""

import re
from collections.abc import Iterable, Sequence

from pipelines.report.latex_columns import PrintedColumn, Signs, columns_of, raised, stacked, unaligned
from pipelines.report.latex_layout import StackedBlock, layouts
from pipelines.report.latex_pages import BlockPart, Page, pages_of
from pipelines.report.latex_widths import TEXT_WIDTH, broken, points
from pipelines.report.printing import NUMBER, printed
from pipelines.report.tables import Entry, Table, escape_latex

PACKAGES = r"\usepackage{booktabs,siunitx}"
_ALONE = (
    r"\expandafter\ifx\csname @nodocument\endcsname\relax\else",
    rf"\documentclass{{article}}{PACKAGES}",
    r"\begin{document}\input{\jobname.tex}\end{document}",
    r"\fi",
)
"""Makes a document of a file that no document has begun for. Inside one, @nodocument is \\relax, and all this is skipped."""
_SET = r"\centering\setlength{\belowcaptionskip}{4pt}"
"""A caption above a table touches its rule in most classes."""
_BREAKABLE = re.compile(r"(\\_|[a-z][./])(?=[a-z])")
"""Where the name of an option may be broken."""
_CONTINUED = (r"\addtocounter{table}{-1}", r"\caption[]{(continued)}")


def to_siunitx(table: Table, above: str, below: Iterable[str] = ()) -> str:
    """Table environments that stand in a paper by \\input, and that compile as they are. ``above``, ``below``: comments."""
    table = printed(table)
    signs = Signs(table)
    ways = layouts(table, columns_of(table, signs))
    notes = [(signs.of(number), note) for number, note in enumerate(table.notes, start=1)]
    told = {remark: escape_latex(remark) for remark in table.remarks}
    told |= {f"{sign} {note}": rf"\textsuperscript{{{sign}}}\,{escape_latex(note)}" for sign, note in notes}
    lines = [f"% {above}", f"% In a paper: {PACKAGES} and \\input.", *_ALONE]
    for number, page in enumerate(pages_of(table, ways, list(told))):
        head = [rf"\caption{{{escape_latex(table.caption)}}}", rf"\label{{{table.label or f'tab:{table.name}'}}}"]
        lines += [r"\begin{table}[htbp]", _SET, *(_CONTINUED if number else head)]
        lines += [*_parts(table, page, signs), *_below([told[line] for line in page.below]), r"\end{table}"]
    return "\n".join([*lines, *(f"% {line}" for line in below), ""])


def _parts(table: Table, page: Page, signs: Signs) -> list[str]:
    """The tabulars of a page."""
    lines: list[str] = []
    for number, part in enumerate(page.parts):
        size, columns = part.block.size, part.block.columns
        between = [r"\par\medskip"] if number else [rf"{size.command}\setlength{{\tabcolsep}}{{{size.space:g}pt}}"]
        lines += [*between, r"\begin{tabular}{@{}", *(form for column in columns for form in column.forms), r"@{}}"]
        lines += [r"\toprule", *_groups(part.block)]
        lines += [" & ".join(column.header() for column in columns) + r" \\", r"\midrule"]
        lines += [*_body(table, part, signs), r"\bottomrule", r"\end{tabular}"]
    return lines


def _groups(block: StackedBlock) -> list[str]:
    """The groups' titles over the columns that LaTeX counts, and a rule below each that has one."""
    cells, rules, place, start = [], [], 0, 1
    for number, (title, span) in enumerate(block.groups):
        wide = sum(len(column.forms) for column in block.columns[place : place + span])
        text = stacked(broken(title, block.span(number) / block.size.scale))
        cells.append(rf"\multicolumn{{{wide}}}{{c}}{{{text}}}")
        rules += [rf"\cmidrule(lr){{{start}-{start + wide - 1}}}"] if title else []
        place, start = place + span, start + wide
    return [" & ".join(cells) + r" \\", " ".join(rules)] if cells else []


def _body(table: Table, part: BlockPart, signs: Signs) -> list[str]:
    headings, block, lines = dict(table.sections), part.block, []
    if part.start and headings:  # a page begins inside a group of rows
        headings[part.start] = headings[max(start for start in headings if start <= part.start)]
    for number in range(part.start, min(part.stop, len(table.rows))):
        if number in headings:
            lines += [r"\addlinespace"] * (number > part.start)
            lines.append(_heading(headings[number], block))
        cells = [table.rows[number][place] for place in block.places]
        set_ = (_cell(entry, column, signs) for entry, column in zip(cells, block.columns, strict=True))
        lines.append(" & ".join(set_) + r" \\")
    return lines


def _heading(text: str, block: StackedBlock) -> str:
    """A line over all columns; a paragraph where it is longer than they are wide."""
    whole, scale = sum(len(column.forms) for column in block.columns), block.size.scale
    is_long = scale * points(text) > block.width
    form = f"p{{{min(TEXT_WIDTH, max(block.width, 200.0)):.0f}pt}}" if is_long else "l"
    return rf"\multicolumn{{{whole}}}{{@{{}}{form}}}{{\emph{{{escape_latex(text)}}}}} \\"


def _cell(entry: Entry, column: PrintedColumn, signs: Signs) -> str:
    after, text = _after(entry, signs), escape_latex(entry.text)
    if column.paragraph:
        text = _BREAKABLE.sub(r"\1\\allowbreak{}", text)
    if not column.is_number:
        return (rf"\textbf{{{text}}}" if entry.bold else text) + after
    if match := NUMBER.fullmatch(entry.text):
        text = match["number"]
    elif text:
        text = f"{{{text}}}"
    return f"{text} & {after}" if column.has_after else text


def _after(entry: Entry, signs: Signs) -> str:
    """What follows a number and is not aligned with others: its spread, marks and footnotes."""
    following, signs_ = unaligned(entry), raised(entry, signs)
    space = r"\," if following.startswith("±") else "~"
    text = space + escape_latex(following).replace(r"$\pm$ ", r"$\pm$\,") if following else ""
    marks = ",".join(escape_latex(sign) for sign in signs_)
    return text + (rf"\,\textsuperscript{{{marks}}}" if marks else "")


def _below(lines: Sequence[str]) -> list[str]:
    """Footnotes and remarks, a line each."""
    if not lines:
        return []
    joined = [f"{line}\\par" for line in lines]
    return [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright", *joined, r"\end{minipage}"]
