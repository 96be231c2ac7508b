"""The comparisons of a study, one for each data set that encoders are evaluated on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pipelines.metric import Metric, of_split
from pipelines.report.cells import Cell, Column, Row, protocol_titles
from pipelines.report.estimates import HEADLINE, PER_CLASS, Answers, Correct, estimate, read_answers
from pipelines.report.floors import TestSet, own_floor, test_set
from pipelines.report.image_parts import parts_of
from pipelines.report.mixed import Codes, Standings, codes_of
from pipelines.report.study import Result, Results
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.jobs import EvaluateSpec, Untrained

ORIGINS = ("guess", "pixels", "untrained", "checkpoint", "pretrain")
"""Where encoders come from, in the order of the rows."""
_NOT_SCORES = ("ci95", "loss", "sd", "lr", "seconds")
NOT_JUDGED: Standings = MappingProxyType({})
Jobs = list[Result[EvaluateSpec]]


@dataclass(frozen=True, eq=False)
class Comparison:
    """All that was measured on one data set: rows (floors first), columns, every cell, and the jobs that cells are made of."""

    dataset: DataSet
    test: TestSet
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    cells: Mapping[tuple[Row, Column], Cell]
    codes: Codes[tuple[Row, Column]]
    jobs: Mapping[tuple[Row, Column], Jobs]

    def column(self, number: str) -> Column | None:
        """The column of PROTOCOL/NUMBER (``few_shot/4_shot``); None where no record has it."""
        protocol, _, name = number.rpartition("/")
        fitting = [each for each in self.columns if each.metric.number == name]
        return next((column for column in fitting if column.evaluation.is_called(protocol)), None)

    def ranking(self, column: Column) -> list[Row]:
        """The rows that compete and are complete, the highest mean first."""
        complete = [row for row in self.rows if row.competes and self.cells[row, column].is_complete]
        return sorted(complete, key=lambda row: -(self.cells[row, column].mean or 0.0))

    def best(self, column: Column) -> Row | None:
        """The row with the highest mean; floors, rows that saw labels and incomplete cells do not compete."""
        return next(iter(self.ranking(column)), None)

    def floor(self, column: Column) -> float | None:
        """The highest mean of the floors, percent."""
        means = [self.cells[row, column].mean for row in self.rows if row.is_floor]
        return max((mean for mean in means if mean is not None), default=None)

    def ceiling(self, column: Column) -> float | None:
        """The highest mean of encoders that were trained with the labels of these images, percent; None where there is none."""
        means = [self.cells[row, column].mean for row in self.ceilings]
        return max((mean for mean in means if mean is not None), default=None)

    @property
    def ceilings(self) -> list[Row]:
        """The rows of encoders that were trained with the labels of these images."""
        rows = [row for row in self.rows if row.pretraining and row.pretraining.spec.method.use == "supervised"]
        return [row for row in rows if row.trained_on == self.dataset.short_name]

    def own_floor(self, row: Row) -> Row | None:
        """The encoder of a method before any training."""
        return own_floor(self.rows, row)

    def not_above(self, row: Row, column: Column) -> list[Row]:
        """The floors of a method that its mean does not pass: its own encoder untrained, raw pixels, guesses."""
        mean, own = self.cells[row, column].mean, self.own_floor(row)
        if row.is_floor or mean is None:
            return []
        floors = [
            each for each in self.rows if each.is_floor and (each == own or not isinstance(each.source, Untrained))
        ]
        means = {each: self.cells[each, column].mean for each in floors}
        return [each for each, floor in means.items() if floor is not None and mean <= floor]


def comparisons(results: Results, standing: Standings = NOT_JUDGED) -> list[Comparison]:
    """Every evaluation of a study, a comparison a data set, in the plan's order.

    ``standing``: how records stand to the code of now, as far as the caller knows.
    """
    jobs = results.of(EvaluateSpec)
    titles = protocol_titles(job.spec.evaluation for job in jobs)
    datasets = dict.fromkeys(job.spec.dataset for job in jobs)
    return [_compare(results, dataset, titles, standing) for dataset in datasets]


def _compare(results: Results, dataset: DataSet, titles: Mapping[Protocol, str], standing: Standings) -> Comparison:
    jobs = [job for job in results.of(EvaluateSpec) if job.spec.dataset == dataset]
    rows, members = _rows(results, dataset, jobs), dict[tuple[Row, Column], Jobs]()
    found: dict[Column, None] = {}
    metrics = {
        evaluation: _metrics(jobs, evaluation, dataset.convention)
        for evaluation in dict.fromkeys(job.spec.evaluation for job in jobs)
    }
    for job, row in zip(jobs, rows):
        for metric in metrics[job.spec.evaluation]:
            column = Column(titles[job.spec.evaluation], job.spec.evaluation, metric)
            found[column] = None
            members.setdefault((row, column), []).append(job)
    columns = sorted(found, key=lambda column: column.evaluation != results.main)
    answers = read_answers(jobs)
    test = test_set(results, jobs, answers.label)
    guesses = {
        (row, column): mean
        for column in columns
        for row, mean in test.guesses(column.evaluation, column.metric.number).items()
    }
    known = dict.fromkeys([*(row for row, _ in guesses), *rows])
    ordered = sorted(known, key=lambda row: ORIGINS.index(row.origin))
    places = [(row, column) for row in ordered for column in columns]
    cells = {place: _cell(results, members.get(place, []), place[1].metric, answers, test) for place in places}
    cells |= {place: Cell({0: mean}, 1, is_exact=True) for place, mean in guesses.items()}
    ordered = _by_main(ordered, columns, cells)
    codes = codes_of(results, members, standing)
    return Comparison(dataset, test, tuple(ordered), tuple(columns), cells, codes, members)


def _by_main(rows: Sequence[Row], columns: Sequence[Column], cells: Mapping[tuple[Row, Column], Cell]) -> list[Row]:
    """Pretrained rows by the first column, the study's main one, the highest mean first; all others stay in their order."""
    main = next(iter(columns), None)

    def place(row: Row) -> tuple[int, float]:
        mean = cells[row, main].mean if main and row.pretraining else None
        missing = float("inf") if row.pretraining else 0.0
        return ORIGINS.index(row.origin), missing if mean is None else -mean

    return sorted(rows, key=place)


def _rows(results: Results, dataset: DataSet, jobs: Jobs) -> list[Row]:
    """The row of each job. Two floors of one name, built for images of different sizes, are told apart by these."""
    found = []
    sources = {(job.label, job.spec.source) for job in jobs}
    names = Counter(label for label, source in sources if isinstance(source, Untrained))
    for job in jobs:
        pretraining, source = results.pretraining(job), job.spec.source
        trained_on, title, name = pretraining.dataset if pretraining else None, job.label, job.name
        if pretraining and trained_on != dataset.short_name:
            title = f"{job.label} (from {trained_on})"
        elif isinstance(source, Untrained) and names[job.label] > 1:
            title = f"{job.label} (for {source.image_size or dataset.image_size} pixels)"
        found.append(Row(title, name.label, name.method, source, name.point, name.tuned, trained_on, pretraining))
    return found


def _metrics(jobs: Sequence[Result[EvaluateSpec]], evaluation: Protocol, convention: str) -> list[Metric]:
    """The scores to show for an evaluation: top1, behind the number that is usual on the data set where that is another;
    else every test metric that is a score."""
    records = [job.record for job in jobs if job.record and job.spec.evaluation == evaluation]
    names = dict.fromkeys(name for record in records for name in of_split("test", record.metrics))
    scores = [name for name in names if "/" not in name and not name.endswith(_NOT_SCORES)]
    known = evaluation.numbers  # in the order of the study, 4 shots before 16
    scores = sorted(scores, key=lambda name: known.index(name) if name in known else len(known))
    usual = [name for name in dict.fromkeys((convention, HEADLINE.number)) if name in scores]
    return [Metric("test", name) for name in usual or scores or [HEADLINE.number]]


def _cell(results: Results, jobs: Jobs, metric: Metric, answers: Answers, test: TestSet) -> Cell:
    done = [job for job in jobs if job.record]
    values = {job.spec.seed: job.record.metrics.get(str(metric)) for job in done if job.record}
    flags: Counter[str] = Counter()
    for job in done:
        flags.update({short_flag(flag) for each in results.line(job) for flag in each.flags})
    by_seed = {seed: 100 * value for seed, value in values.items() if value is not None}
    kept = _kept(done, metric, answers)
    correct = kept if kept and set(kept) == set(by_seed) else None
    found = estimate(by_seed, correct, test.images if metric == HEADLINE and _asks_once(jobs) else None)
    counted, named = tuple(sorted(flags.items())), answers.named(done) if metric == HEADLINE else {}
    missing = len(jobs) - len(done)
    return Cell(by_seed, len(jobs), missing, counted, estimate=found, correct=correct, predicted=named)


def _kept(done: Jobs, metric: Metric, answers: Answers) -> Correct:
    """What each test image adds to a number: of predictions where they were kept and decide it, else of answers."""
    if metric == HEADLINE:
        return answers.of(done)
    return (answers.per_class(done) if metric == PER_CLASS else {}) or parts_of(done, metric)


def _asks_once(jobs: Jobs) -> bool:
    """Whether the protocol asks about every test image once, so that its top-1 is a share of them."""
    return not any(isinstance(job.spec.evaluation, FewShot) for job in jobs)


def short_flag(flag: str) -> str:
    """A flag for a table cell: its kind in plain words, without the metric it names."""
    return flag.split(":", 1)[0].replace("_", " ")
