"""Which runs of a study are the rows of a table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.errors import InputError
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec, PretrainSpec
from pipelines.spec.mistakes import suggestion
from pipelines.spec.named import Arm, arms, check_floors
from pipelines.spec.options import by_value, options_of
from pipelines.spec.overlay import value_at
from pipelines.spec.row_name import PIXELS
from pipelines.spec.runs import Floor, Named
from pipelines.spec.study import Study
from pipelines.spec.tables import PaperTable, PlannedRow, TableRow

FLOORS: tuple[Floor, ...] = ("pixels", "untrained")


@dataclass(frozen=True)
class Known:
    """What a plan tells of a study's rows, by the label that tables give them.

    runs     of every pretraining whose options stand in the study: all that were not tuned
    sources  of all that is evaluated, in the plan's order, where the encoder comes from
    """

    study: Study
    runs: Mapping[str, PretrainSpec]
    sources: Mapping[str, str]

    @classmethod
    def of(cls, study: Study, jobs: Iterable[Job], labels: Mapping[tuple[str, str], str]) -> "Known":
        """From a plan's jobs and their labels."""
        runs: dict[str, PretrainSpec] = {}
        sources: dict[str, str] = {}
        for job in jobs:
            label = labels[job.place]
            if isinstance(job.spec, PretrainSpec) and "best" not in job.inputs:
                runs.setdefault(label, job.spec)
            if isinstance(job.spec, EvaluateSpec):
                sources.setdefault(label, job.spec.source.use)
        return cls(study, runs, sources)

    @property
    def ceiling(self) -> str | None:
        """The label of the row that the study's ``ceiling`` adds; a method that a study lists itself is none."""
        return self.study.ceiling.label if self.study.ceiling else None

    def floor(self, name: Floor) -> list[str]:
        """The labels of a floor's rows."""
        return [label for label, source in self.sources.items() if source == name]


def rows_of(known: Known, table: PaperTable, where: str) -> tuple[PlannedRow, ...]:
    """The rows of a table, in its order; InputError names the key and what there is instead."""
    return tuple(row for i, entry in enumerate(table.rows) for row in _rows(known, entry, f"{where}.rows[{i}]"))


def _rows(known: Known, entry: TableRow, where: str) -> list[PlannedRow]:
    if entry.arms:
        return _arms(known, entry, entry.arms, where)
    if entry.every:
        found = [Arm(label, {}) for floor in FLOORS for label in known.floor(floor)] if entry.every == "all" else []
        left_out = None if entry.every == "all" else known.ceiling
        trained = [label for label, source in known.sources.items() if source not in FLOORS and label != left_out]
        found += [Arm(label, {}) for label in trained]
    elif entry.floor:
        check_floors(known.study, where)
        found = [Arm(label, {}) for label in known.floor(entry.floor)]
    elif entry.method in known.study.checkpoints:
        found = [Arm(str(entry.method), {})]
    else:
        found = arms(known.study, entry, where)
    if entry.title and len(found) > 1:
        raise InputError(
            f"{where}.title: {len(found)} runs fit and would all be called {entry.title!r}; leave the title out, or name "
            "one of them"
        )
    return [
        PlannedRow(
            title=entry.title or arm.label,
            group=entry.group,
            label=arm.label,
            over=_over(known, entry.over, arm, where),
        )
        for arm in found
    ]


def _arms(known: Known, entry: TableRow, option: str, where: str) -> list[PlannedRow]:
    """A row for every run that has the option, ordered by its value."""
    every = [Arm(label, {}) for label in known.runs if label != known.ceiling]
    named = arms(known.study, entry, where) if entry.method else every
    chosen = {arm.label: arm for arm in named if arm.label in known.runs}
    dumps = {label: known.runs[label].model_dump(mode="json") for label in chosen}
    values = {label: value for label, dump in dumps.items() if (value := value_at(dump, option)) is not None}
    different = {str(value) for value in values.values()}
    if not values:
        there = list(dict.fromkeys(path for dump in dumps.values() for path in options_of(dump)))
        raise InputError(f"{where}.arms: no run has an option {option!r}; {suggestion(option, there)}")
    if len(different) < 2:
        raise InputError(f"{where}.arms: {option} is {different.pop()} in every run that has it; name one that differs")
    if entry.title and "{value}" not in entry.title:
        raise InputError(
            f"{where}.title: all arms would be called {entry.title!r}; put {{value}} in it, or leave it out"
        )
    alone = len(different) == len(values)
    return [
        PlannedRow(
            title=(entry.title or "{value}").replace("{value}", str(values[label])) + ("" if alone else f" ({label})"),
            group=entry.group,
            label=label,
            over=_over(known, entry.over, chosen[label], where),
            option=option,
            value=values[label],
        )
        for label in by_value(list(values), values)
    ]


def _over(known: Known, over: Named | None, arm: Arm, where: str) -> str | None:
    """The label that a row's gains are taken over: the one run that is named, or that at the row's own grid point."""
    if over is None:
        return None
    if over.floor:
        check_floors(known.study, f"{where}.over")
        return PIXELS
    found = arms(known.study, over, f"{where}.over")
    if len(found) > 1:
        found = [other for other in found if all(arm.point.get(path) == value for path, value in other.point.items())]
    if len(found) != 1:
        raise InputError(
            f"{where}.over: {over.method} has no run at the grid point of {arm.label}; name one of its runs with at"
        )
    if found[0].label == arm.label:
        raise InputError(f"{where}.over: {arm.label} is the row itself; name other runs, or leave over out")
    return found[0].label
