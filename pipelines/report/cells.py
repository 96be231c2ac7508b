"""The comparison: a row a method label, a column a (data set, protocol, metric), a cell all its seeds."""

import json
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipelines.files import canonical
from pipelines.report.study import FLOORS, Job, Study, dataset_name

_PROTOCOLS = {
    "knn": "kNN",
    "linear": "linear probe",
    "few_shot": "few-shot",
    "low_shot": "low-shot",
    "zero_shot": "zero-shot",
    "finetune": "fine-tuning",
}
_NOT_SCORES = ("ci95", "loss", "sd", "lr", "seconds")


@dataclass(frozen=True)
class Column:
    """What is measured: on which data set, by which protocol, which metric of the record (``test/top1``)."""

    dataset: str
    protocol: str
    evaluation: str
    """The evaluation's resolved spec as canonical JSON: two settings of one protocol are two columns."""
    metric: str

    @property
    def title(self) -> str:
        """The protocol, and the metric where it is not plain top-1."""
        name = self.metric.removeprefix("test/")
        return self.protocol if name == "top1" else f"{self.protocol}, {name.replace('_', ' ')}"

    @property
    def use(self) -> str:
        """Which kind of evaluation it is: knn, linear, ..."""
        return str(json.loads(self.evaluation)["use"])

    @property
    def protocol_name(self) -> str:
        """The kind in words, without its settings."""
        return _PROTOCOLS.get(self.use, self.use.replace("_", " "))


@dataclass(frozen=True)
class Row:
    """One line of the comparison. ``pretraining`` is one of its pretraining jobs: where its settings stand."""

    label: str
    source: str
    pretraining: Job | None = field(compare=False)

    @property
    def is_floor(self) -> bool:
        return self.source in FLOORS

    @property
    def saw_labels(self) -> bool:
        """Trained on the labels: the supervised reference, and CLIP where its captions are made from class names."""
        if self.pretraining is None:
            return False
        spec = self.pretraining.spec
        captions = spec.get("dataset", {}).get("use") == "webdataset"  # tars may bring captions of their own
        use = spec.get("method", {}).get("use")
        return use == "supervised" or (use == "clip" and not captions)


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


def compare(study: Study) -> Comparison:
    """Gather every evaluation of a study."""
    jobs = study.stage("evaluate")
    titles = protocol_titles(job.spec["evaluation"] for job in jobs)
    rows: dict[tuple[str, str], Row] = {}
    columns: dict[Column, None] = {}
    members: dict[tuple[Row, Column], list[Job]] = {}
    for job in jobs:
        place = (job.source, job.label)
        rows.setdefault(place, Row(job.label, job.source, study.pretraining(job)))
        text = canonical(job.spec["evaluation"])
        for metric in _metrics(jobs, text):
            column = Column(job.dataset, titles[text], text, metric)
            columns[column] = None
            members.setdefault((rows[place], column), []).append(job)
    sources = [*FLOORS, "pretrain"]
    ordered = sorted(rows.values(), key=lambda row: sources.index(row.source))
    datasets = list(dict.fromkeys(column.dataset for column in columns))
    by_dataset = sorted(columns, key=lambda column: datasets.index(column.dataset))
    cells = {
        (row, column): _cell(study, members.get((row, column), []), column) for row in ordered for column in columns
    }
    return Comparison(tuple(ordered), tuple(by_dataset), cells)


def protocol_titles(evaluations: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Canonical JSON of each evaluation -> its name; options that tell two of one kind apart are part of it."""
    found = {canonical(evaluation): evaluation for evaluation in evaluations}
    titles = {}
    for text, evaluation in found.items():
        twins = [other for other in found.values() if other["use"] == evaluation["use"]]
        differing = [key for key in evaluation if any(other.get(key) != evaluation[key] for other in twins)]
        title = _PROTOCOLS.get(evaluation["use"], evaluation["use"].replace("_", " "))
        if evaluation["use"] == "knn" and "k" in evaluation and "k" not in differing:
            differing.insert(0, "k")
        options = ", ".join(f"{key.replace('_', ' ')} {_plain(evaluation[key])}" for key in differing)
        titles[text] = f"{title} ({options})" if options else title
    return titles


def _plain(value: Any) -> str:
    if isinstance(value, dict) and "use" in value:
        return dataset_name(value)
    return value if isinstance(value, str) else canonical(value).replace('"', "")


def _metrics(jobs: list[Job], evaluation: str) -> list[str]:
    """The scores to show for an evaluation: test/top1, else every test metric that is a score."""
    records = [job.record for job in jobs if job.record and canonical(job.spec["evaluation"]) == evaluation]
    names = dict.fromkeys(name for record in records for name in record.metrics if name.startswith("test/"))
    scores = [name for name in names if not any(name.endswith(ending) for ending in _NOT_SCORES)]
    return ["test/top1"] if "test/top1" in scores or not scores else scores


def _cell(study: Study, jobs: list[Job], column: Column) -> Cell:
    done = [job for job in jobs if job.record]
    numbers = [job.record.metrics.get(column.metric) for job in done if job.record]
    flags: Counter[str] = Counter()
    for job in done:
        flags.update({short_flag(flag) for each in study.line(job) for flag in each.flags})
    values = tuple(100 * number for number in numbers if number is not None)
    return Cell(values, len(jobs), len(jobs) - len(done), tuple(sorted(flags.items())))


def short_flag(flag: str) -> str:
    """A flag for a table cell: its kind in plain words, without the metric it names."""
    return flag.split(":", 1)[0].replace("_", " ")
