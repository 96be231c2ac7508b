"""Small parts of sentences about rows of a comparison."""

from collections.abc import Sequence

from pipelines.report.cells import Cell, Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.noise import compared, difference
from pipelines.statistics.intervals import Estimate
from pipelines.statistics.paired import pairs_needed


def enumerated(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def noun(rows: Sequence[Row]) -> str:
    """What competing rows are: methods; arms where all are variants of one method, rows where some are variants."""
    names = [row.pretraining.spec.method.short_name for row in rows if row.pretraining]
    if len(set(names)) == len(names):
        return "method"
    return "arm" if len(set(names)) == 1 else "row"


def called(comparison: Comparison, row: Row) -> str:
    """Its label; with where it was pretrained only where another row has the same one."""
    twins = [each for each in comparison.rows if each.label == row.label and each.title != row.title]
    return row.title if twins else row.label


def protocol_words(comparison: Comparison, column: Column) -> str:
    """A column in a sentence: the protocol without settings that only a table needs, kNN for ``kNN (k 20, 5, 10)``."""
    plain = column.title.replace(column.protocol, column.protocol_name, 1)
    others = [each for each in comparison.columns if each != column]
    twins = [each for each in others if each.title.replace(each.protocol, each.protocol_name, 1) == plain]
    return column.title if twins else plain


def interval_words(cell: Cell) -> str:
    """The interval with a blank before it; what alone it counts in words: `` [72.6, 81.0] (an interval over seeds alone)``."""
    if not cell.interval.endswith(" only"):
        return f" {cell.interval}" if cell.interval else ""
    return f" {cell.interval.replace('] ', '] (an interval over ').removesuffix(' only')} alone)"


def difference_words(apart: Estimate, less: str, more: str) -> str:
    """``0.7 points [-0.1, 1.5] below``: less where the difference is above 0."""
    sign = -1 if apart.mean < 0 else 1
    text = f"{abs(apart.mean):.1f} points"
    if apart.low is not None and apart.high is not None:
        low, high = sorted((sign * apart.low, sign * apart.high))
        text += f" [{low:z.1f}, {high:z.1f}]"
    return f"{text} {less if sign > 0 else more}"


def apart(comparison: Comparison, column: Column, one: Row, other: Row) -> Estimate | None:
    """One row minus another in points; None where they share no seed."""
    return difference(comparison.cells[one, column], comparison.cells[other, column])


def p_words(comparison: Comparison, column: Column, one: Row, other: Row) -> str:
    """The p of two rows within noise whose interval lies on one side of zero, in brackets; empty where the two agree."""
    found = compared(comparison.cells[one, column], comparison.cells[other, column])
    if found is None or found.estimate.low is None or found.estimate.high is None or found.test.n < pairs_needed():
        return ""
    if found.estimate.low <= 0 <= found.estimate.high:
        return ""
    corrected = "" if found.test.p > 0.05 else ", which is too much once corrected for all pairs"
    return f" (but p is {found.test.p:.2g} over {found.test.n} seeds{corrected})"
