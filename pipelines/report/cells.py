"""The comparison: a row a method label, a column a (data set, protocol, metric), a cell all its seeds."""

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipelines.report.study import Result, Results
from pipelines.spec.base import Model
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec

_PROTOCOLS = {
    "knn": "kNN",
    "linear": "linear probe",
    "few_shot": "few-shot",
    "low_shot": "low-shot",
    "zero_shot": "zero-shot",
    "finetune": "fine-tuning",
}
ORIGINS = ("pixels", "untrained", "pretrain")
"""Where encoders come from, in the order of the rows."""
_NOT_SCORES = ("ci95", "loss", "sd", "lr", "seconds")


@dataclass(frozen=True)
class Column:
    """What is measured: on which data set, by which protocol, which metric of the record (``test/top1``)."""

    dataset: DataSet
    protocol: str
    evaluation: Protocol
    """Two settings of one protocol are two columns."""
    metric: str

    @property
    def title(self) -> str:
        """The protocol, and the metric where it is not plain top-1."""
        name = self.metric.removeprefix("test/")
        return self.protocol if name == "top1" else f"{self.protocol}, {name.replace('_', ' ')}"

    @property
    def protocol_name(self) -> str:
        """The kind in words, without its settings."""
        return _kind(self.evaluation)


@dataclass(frozen=True)
class Row:
    """One line of the comparison. ``pretraining`` is one of its pretraining jobs: where its settings stand."""

    label: str
    origin: str
    pretraining: Result[PretrainSpec] | None = field(compare=False)

    @property
    def is_floor(self) -> bool:
        return self.pretraining is None

    @property
    def saw_labels(self) -> bool:
        """Trained on the labels: the supervised reference, and CLIP where its captions are made from class names."""
        if self.pretraining is None:
            return False
        spec = self.pretraining.spec
        captions = spec.dataset.use == "webdataset"  # tars may bring captions of their own
        return spec.method.use == "supervised" or (spec.method.use == "clip" and not captions)


@dataclass(frozen=True)
class Cell:
    """All seeds of a row in a column.

    values     percent, one a finished job with a finite metric
    expected   jobs planned; 0: the study does not measure this
    missing    of these, jobs without a record
    flags      what the runs behind the values are flagged with, and how many of them
    """

    values: tuple[float, ...]
    expected: int
    missing: int
    flags: tuple[tuple[str, int], ...]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """Percent."""
        return statistics.fmean(self.values) if self.values else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation over seeds (n - 1), in points; None for fewer than two."""
        return statistics.stdev(self.values) if self.n > 1 else None

    @property
    def is_complete(self) -> bool:
        return self.expected > 0 and self.n == self.expected

    @property
    def text(self) -> str:
        """``71.23 ± 0.40 (3)``; ``(2 of 3)`` when partial; ``missing (0 of 3)``; ``–`` when it was not planned."""
        if self.expected == 0:
            return "–"
        count = str(self.n) if self.is_complete else f"{self.n} of {self.expected}"
        if self.mean is None:
            return f"{'missing' if self.missing else 'not finite'} ({count})"
        spread = "" if self.sd is None else f" ± {self.sd:.2f}"
        return f"{self.mean:.2f}{spread} ({count})"


@dataclass(frozen=True)
class Comparison:
    """Rows (floors first), columns (data sets together) and every cell."""

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    cells: dict[tuple[Row, Column], Cell]

    def best(self, column: Column) -> Row | None:
        """The row with the highest mean; floors, rows that saw labels and incomplete cells do not compete."""
        means = {
            row: self.cells[row, column].mean or 0.0
            for row in self.rows
            if not row.is_floor and not row.saw_labels and self.cells[row, column].is_complete
        }
        return max(means, key=lambda row: means[row]) if means else None

    def floor(self, column: Column) -> float | None:
        """The highest mean of the floors, percent."""
        means = [self.cells[row, column].mean for row in self.rows if row.is_floor]
        return max((mean for mean in means if mean is not None), default=None)

    def below_floor(self, row: Row, column: Column) -> bool:
        """Whether a method's mean is not above the best floor's."""
        mean, floor = self.cells[row, column].mean, self.floor(column)
        return not row.is_floor and mean is not None and floor is not None and mean <= floor


def compare(results: Results) -> Comparison:
    """Gather every evaluation of a study."""
    jobs = results.of(EvaluateSpec)
    titles = protocol_titles(job.spec.evaluation for job in jobs)
    rows: dict[tuple[str, str], Row] = {}
    columns: dict[Column, None] = {}
    members: dict[tuple[Row, Column], list[Result[EvaluateSpec]]] = {}
    for job in jobs:
        place = (job.origin, job.label)
        rows.setdefault(place, Row(job.label, job.origin, results.pretraining(job)))
        for metric in _metrics(jobs, job.spec.evaluation):
            column = Column(job.spec.dataset, titles[job.spec.evaluation], job.spec.evaluation, metric)
            columns[column] = None
            members.setdefault((rows[place], column), []).append(job)
    ordered = sorted(rows.values(), key=lambda row: ORIGINS.index(row.origin))
    datasets = list(dict.fromkeys(column.dataset for column in columns))
    by_dataset = sorted(columns, key=lambda column: datasets.index(column.dataset))
    cells = {
        (row, column): _cell(results, members.get((row, column), []), column) for row in ordered for column in columns
    }
    return Comparison(tuple(ordered), tuple(by_dataset), cells)


def protocol_titles(evaluations: Iterable[Protocol]) -> dict[Protocol, str]:
    """Each evaluation's name; options that tell two of one kind apart are part of it."""
    found = list(dict.fromkeys(evaluations))
    titles = {}
    for evaluation in found:
        twins = [other for other in found if other.use == evaluation.use]
        differing = [
            name
            for name in type(evaluation).model_fields
            if any(getattr(other, name) != getattr(evaluation, name) for other in twins)
        ]
        if evaluation.use == "knn" and "k" not in differing:
            differing.insert(0, "k")
        options = ", ".join(f"{name.replace('_', ' ')} {_plain(getattr(evaluation, name))}" for name in differing)
        titles[evaluation] = f"{_kind(evaluation)} ({options})" if options else _kind(evaluation)
    return titles


def _kind(evaluation: Protocol) -> str:
    return _PROTOCOLS.get(evaluation.use, evaluation.use.replace("_", " "))


def _plain(value: Any) -> str:
    if isinstance(value, Model):
        return str(getattr(value, "short_name", value))
    return ", ".join(map(_plain, value)) if isinstance(value, tuple) else str(value)


def _metrics(jobs: list[Result[EvaluateSpec]], evaluation: Protocol) -> list[str]:
    """The scores to show for an evaluation: test/top1, else every test metric that is a score."""
    records = [job.record for job in jobs if job.record and job.spec.evaluation == evaluation]
    names = dict.fromkeys(name for record in records for name in record.metrics if name.startswith("test/"))
    scores = [name for name in names if not any(name.endswith(ending) for ending in _NOT_SCORES)]
    return ["test/top1"] if "test/top1" in scores or not scores else scores


def _cell(results: Results, jobs: list[Result[EvaluateSpec]], column: Column) -> Cell:
    done = [job for job in jobs if job.record]
    numbers = [job.record.metrics.get(column.metric) for job in done if job.record]
    flags: Counter[str] = Counter()
    for job in done:
        flags.update({short_flag(flag) for each in results.line(job) for flag in each.flags})
    values = tuple(100 * number for number in numbers if number is not None)
    return Cell(values, len(jobs), len(jobs) - len(done), tuple(sorted(flags.items())))


def short_flag(flag: str) -> str:
    """A flag for a table cell: its kind in plain words, without the metric it names."""
    return flag.split(":", 1)[0].replace("_", " ")
