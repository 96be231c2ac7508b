"""What the mean hides: every class's accuracy by method, and which classes a method names for which."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.colours import colour
from pipelines.files import read_json
from pipelines.report.behind import Behind, of_cell, of_parts
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.study import Results
from pipelines.report.tables import Entry, Table, csv_text
from pipelines.spec.jobs import ShardsSpec
from pipelines.statistics.confusion import confusion, shares, worst

MOST_CLASSES = 20
"""Rows of a table on the page; the file of all classes has the others."""
MOST_CONFUSIONS = 5


@dataclass(frozen=True, eq=False)
class Confusions:
    """What one protocol said of one data set's test images. ``found``: by row and seed (C, C), shares of each class."""

    dataset: str
    column: Column
    classes: tuple[str, ...]
    images: NDArray[np.int64]
    found: dict[Row, list[NDArray[np.float64]]]
    behind: Mapping[Row, Behind | None]

    def accuracies(self, row: Row) -> NDArray[np.float64]:
        """(seeds, C) in [0, 1], NaN for a class without test images."""
        return np.stack([np.diag(each) for each in self.found[row]])


def confusions(results: Results, comparison: Comparison) -> list[Confusions]:
    """One for each protocol of which predictions of pretrained encoders, or of weights from a file, were kept."""
    label, made = comparison.test.label, []
    if label is None:
        return []
    rows = [row for row in comparison.rows if not row.is_floor]
    for column in comparison.columns:
        said = {row: comparison.cells[row, column].predicted for row in rows}
        kept = {row: list(each.values()) for row, each in said.items() if each}
        if kept:
            classes = _classes(results, comparison, label, [one for each in kept.values() for one in each])
            found = {row: [shares(confusion(label, one, len(classes))) for one in each] for row, each in kept.items()}
            images = np.bincount(label, minlength=len(classes))
            behind = {row: of_cell(comparison, row, column) for row in found}
            made.append(Confusions(comparison.dataset.short_name, column, classes, images, found, behind))
    return made


def _classes(
    results: Results,
    comparison: Comparison,
    label: NDArray[np.unsignedinteger],
    said: Sequence[NDArray[np.unsignedinteger]],
) -> tuple[str, ...]:
    """The names in the index of the data set's shards where it is there, else numbers."""
    for job in results.of(ShardsSpec):
        if job.spec.dataset == comparison.dataset and job.record and "index" in job.record.artifacts:
            path = job.folder / job.record.artifacts["index"]
            if path.exists():
                return tuple(map(str, read_json(path)["classes"]))
    return tuple(f"class {number}" for number in range(int(max(label.max(), *(one.max() for one in said))) + 1))


def class_table(given: Confusions, name: str, caption: str) -> Table:
    """A row a class, hardest first where not all are shown; a column a method."""
    rows = list(given.found)
    over_methods = np.mean([given.accuracies(row).mean(0) for row in rows], axis=0)
    occurring = np.flatnonzero(given.images)
    all_of_them = of_parts(f"{given.dataset} · test images of each class", given.behind.values())
    hardest = sorted(occurring[np.argsort(over_methods[occurring], kind="stable")][:MOST_CLASSES].tolist())
    lines = tuple(
        (
            Entry(given.classes[number]),
            Entry(f"{given.images[number]:,}", muted=True, behind=all_of_them),
            *(_accuracy(given, row, number) for row in rows),
        )
        for number in hardest
    )
    remarks: tuple[str, ...] = ()
    if len(hardest) < len(occurring):
        remarks = (f"The {len(hardest)} hardest of {len(occurring)} classes; all of them are in tables/per_class.csv.",)
    header = ("class", "test images", *(row.title for row in rows))
    groups = (("", 2), (f"{given.dataset}, {given.column.title}", len(rows)))
    return Table(name, caption, header, lines, groups, remarks=remarks)


def confusion_table(given: Sequence[Confusions], name: str, caption: str) -> Table:
    """A row a method and protocol: its largest confusions."""
    lines = []
    for each in given:
        for row in each.found:
            mean = np.mean(each.found[row], axis=0)
            pairs = worst(mean, MOST_CONFUSIONS)
            said = [
                f"{each.classes[truth]} as {each.classes[named]} {100 * share:.1f}" for truth, named, share in pairs
            ]
            none = [Entry("–", muted=True)] * (MOST_CONFUSIONS - len(said))
            cells = [*(Entry(text, behind=each.behind[row]) for text in said), *none]
            lines.append((Entry(row.title, colour=colour(row.method)), Entry(each.column.title), *cells))
    header = ("method", "protocol", *(f"confusion {number}" for number in range(1, MOST_CONFUSIONS + 1)))
    return Table(name, caption, header, tuple(lines), text_columns=len(header))


def class_tables(found: Sequence[Sequence[Confusions]], caption: str) -> tuple[Table, ...]:
    """``found``: a sequence a data set. Of each a table a protocol, then one of confusions."""
    shown, tables = [given for given in found if given], []
    for given in shown:
        ending = "" if len(shown) == 1 else f"-{given[0].dataset}"
        for number, each in enumerate(given, start=1):
            tables.append(class_table(each, f"classes{ending}{'' if len(given) == 1 else f'-{number}'}", caption))
        tables.append(confusion_table(given, f"confusions{ending}", caption))
    return tuple(tables)


def per_class_csv(found: Sequence[Sequence[Confusions]]) -> str:
    """Every class as CSV text: a line a data set, protocol, method and class that has test images."""
    header = ["dataset", "protocol", "method", "class", "test_images", "mean_percent", "sd_points", "n"]
    return csv_text([header, *(line for given in found for each in given for line in _lines(each))])


def _lines(given: Confusions) -> Iterator[list[str]]:
    for row in given.found:
        for number, values in enumerate(100 * given.accuracies(row).T):
            if given.images[number]:
                sd = f"{statistics.stdev(values):.6f}" if len(values) > 1 else ""
                who = [given.dataset, given.column.title, row.title, given.classes[number], str(given.images[number])]
                yield [*who, f"{statistics.fmean(values):.6f}", sd, str(len(values))]


def _accuracy(given: Confusions, row: Row, number: int) -> Entry:
    """Of one class by one method."""
    return Entry(_spread((100 * given.accuracies(row)[:, number]).tolist()), behind=given.behind[row])


def _spread(values: Sequence[float]) -> str:
    """Mean and standard deviation of percents, one a seed."""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.1f}{spread}"
