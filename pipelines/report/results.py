"""The main table of a data set: every method by every protocol, the published figure beside it where one exists."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pipelines.colours import colour
from pipelines.durations import duration
from pipelines.report.behind import of_cell
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.costs import Cost
from pipelines.report.estimates import RESAMPLES
from pipelines.report.noise import letters
from pipelines.report.published import as_printed, choose, is_same_setting, wanted_for
from pipelines.report.tables import Entry, Printed, Table
from pipelines.spec.published import Published, published_protocol
from pipelines.statistics.paired import pairs_needed

NOT_ABOVE = {
    "untrained": ("†", "The mean is not above that of its own encoder before any training"),
    "pixels": ("‡", "The mean is not above that of raw pixels"),
    "guess": ("§", "The mean is not above what chance or always naming the most frequent class would give"),
}
"""Origin of a floor -> the mark of a method that does not pass it, and what it means."""
INTERVALS = {
    "seeds and images": "Below a mean stands its 95 % interval over seeds and test images: another set of seeds and another "
    f"test set of this kind (two-way bootstrap of {RESAMPLES:,} resamples, scaled to the analysis of variance).",
    "seeds": "Intervals with the word seeds count other seeds on the same test images (Student's t); what was said of "
    "single images was not kept or is not asked.",
    "images": "Intervals with the word images count another test set for these very weights (Wilson, or the jackknife where a "
    "number is no share of images); one seed alone says nothing of others.",
}
LETTERS = (
    "Two methods of a column share a letter unless a difference is shown by their common seeds: at 5 % by the exact "
    "sign-flip test of the two alone, and by a paired t test corrected over all pairs (Benjamini and Hochberg). Those with an "
    "a are within noise of the best. Floors, rows that saw labels and rows with missing seeds have no letter."
)
PRINTED = "Accuracy on the test images of {} in percent: mean ± sample standard deviation over pretraining seeds."
"""The caption in a paper, which has no intervals."""
NO_CEILING = (
    "No ceiling: no row here was trained with the labels of these images. The study's ceiling gives one (ceiling: "
    "{recipe: supervised/SCALE}), or the method supervised among the others."
)

NO_COSTS: Mapping[Row, Cost] = MappingProxyType({})
Beside = dict[tuple[Row, Column], Published]
"""Cell -> the published figure printed beside it."""


def beside(comparison: Comparison, published: list[Published]) -> Beside:
    """The published figure for every cell that has one of the same data set and network."""
    found: Beside = {}
    for (row, column), cell in comparison.cells.items():
        if row.pretraining and cell.expected:
            measured = published_protocol(column.evaluation, column.metric.number)
            wanted = wanted_for(row.pretraining.spec, comparison.dataset, measured)
            same = [each for each in published if wanted and is_same_setting(each, wanted)]
            if wanted and (match := choose(same, wanted)):
                found[row, column] = match
    return found


def results_table(
    comparison: Comparison, figures: Beside, name: str, caption: str, cost: Mapping[Row, Cost] = NO_COSTS
) -> Table:
    """One row a method; a column a protocol, followed by a published column for each protocol that figures were measured by.

    The last two columns are what a pretraining cost, where any row tells it.
    """
    sources = list(dict.fromkeys(_note(figure) for figure in figures.values()))
    ways: dict[Column, list[str]] = {}
    for (_, column), figure in figures.items():
        ways.setdefault(column, [])
        ways[column] += [] if figure.measured_by in ways[column] else [figure.measured_by]
    header = ["method"]
    for column in comparison.columns:
        header.append(column.title)
        several = len(ways.get(column, [])) > 1  # two protocols never stand under one header
        header += [f"published {way if several else column.protocol_name}" for way in ways.get(column, [])]
    noise = {column: letters(comparison, column) for column in comparison.columns}
    rows = []
    for row in comparison.rows:
        entries = [Entry(row.title, muted=row.is_floor, colour=colour(row.method))]
        for column in comparison.columns:
            entries.append(_entry(comparison, row, column, noise[column].get(row, "")))
            shown = figures.get((row, column))
            for way in ways.get(column, []):
                entries.append(_published_entry(shown if shown and shown.measured_by == way else None, sources))
        rows.append((*entries, *(_cost_entries(cost.get(row)) if cost else ())))
    groups: tuple[tuple[str, int], ...] = ()
    if comparison.columns:
        groups = (("", 1), (comparison.dataset.short_name, len(header) - 1))
    if cost:
        header, groups = [*header, "time", "images/s"], (*groups, ("a pretraining", 2))
    remarks = tuple(_remarks(comparison, any(noise.values())))
    words, told = PRINTED.format(comparison.dataset.short_name), tuple(INTERVALS.values())
    printed = Printed(words, left_out=2 * bool(cost), page_only=told)
    return Table(name, caption, tuple(header), tuple(rows), groups, tuple(sources), remarks=remarks, printed=printed)


def _cost_entries(cost: Cost | None) -> tuple[Entry, Entry]:
    """Median time and speed; dashes for what was not trained."""
    if cost is None:
        return Entry("–", muted=True), Entry("–", muted=True)
    speed = f"{cost.images:,.0f}" if cost.images else "–"
    return Entry(duration(cost.seconds), behind=cost.behind), Entry(speed, muted=not cost.images, behind=cost.behind)


def _entry(comparison: Comparison, row: Row, column: Column, letter: str) -> Entry:
    cell = comparison.cells[row, column]
    done = cell.expected - cell.missing
    flags = [f"{flag} {count} of {done}" for flag, count in cell.flags]
    return Entry(
        cell.text,
        muted=row.is_floor or cell.mean is None,
        detail="; ".join([*([cell.interval] if cell.interval else []), *flags]),
        alert=bool(flags),
        marks=" ".join(part for part in (letter, _marks(comparison, row, column)) if part),
        behind=of_cell(comparison, row, column),
    )


def _marks(comparison: Comparison, row: Row, column: Column) -> str:
    return _floor_marks(comparison, row, column) + comparison.codes.marks((row, column))


def _floor_marks(comparison: Comparison, row: Row, column: Column) -> str:
    origins = {floor.origin for floor in comparison.not_above(row, column)}
    return "".join(mark for origin, (mark, _) in NOT_ABOVE.items() if origin in origins)


def _remarks(comparison: Comparison, has_letters: bool) -> Iterator[str]:
    """What has to be known to read the table: the test set, what intervals count, what letters and marks mean."""
    test, cells = comparison.test, list(comparison.cells.values())
    if test.images:
        classes = f" in {test.classes} classes" if test.classes else ""
        yield f"The test set has {test.images:,} images{classes}; one image is worth {test.one_image:.2g} points."
    counts = {cell.estimate.counts for cell in cells if cell.estimate}
    yield from (sentence for counted, sentence in INTERVALS.items() if counted in counts)
    if has_letters:
        yield LETTERS
    elif any(comparison.ranking(column) for column in comparison.columns):
        yield (
            f"No letters are given: with fewer than {pairs_needed()} seeds in common no test over seeds can show that two "
            "methods differ."
        )
    marks = {_floor_marks(comparison, row, column) for row, column in comparison.cells}
    yield from (f"{mark} {meaning}." for mark, meaning in NOT_ABOVE.values() if mark in "".join(marks))
    if not comparison.ceilings and any(column.evaluation.targets == "labels" for column in comparison.columns):
        yield NO_CEILING
    yield from comparison.codes.remarks()


def _published_entry(figure: Published | None, sources: list[str]) -> Entry:
    if figure is None:
        return Entry("–", muted=True)
    note = sources.index(_note(figure)) + 1
    return Entry(as_printed(figure.value), muted=True, detail=figure.measured_on, note=note)


def _note(match: Published) -> str:
    return f"{match.measured_on}: {match.source}{f' ({match.note})' if match.note else ''}"
