"""Which runs of a study a name means, and which number, found before anything runs."""

from dataclasses import dataclass
from typing import Any

from pipelines.errors import InputError
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.grid import Point, points, row_name
from pipelines.spec.mistakes import suggestion
from pipelines.spec.runs import Named
from pipelines.spec.study import MethodEntry, Study


@dataclass(frozen=True)
class Arm:
    """One row of a study's tables: its label, and the grid point it is of."""

    label: str
    point: Point


def arms(study: Study, runs: Named, where: str) -> list[Arm]:
    """The runs of a method that a name means, in the grid's order; InputError names the key and what there is instead."""
    entries = [*study.methods, *([study.ceiling] if study.ceiling else [])]
    entry = next((entry for entry in entries if entry.label == runs.method), None)
    if entry is None:
        labels = [entry.label for entry in entries]
        raise InputError(
            f"{where}.method: the study has no method {runs.method!r}; {suggestion(str(runs.method), labels)}"
        )
    if runs.tuned and not (study.tuning and entry.label in study.tuning.methods):
        raise InputError(f"{where}.tuned: {entry.label} is not tuned; name it under tuning.methods, or leave tuned out")
    return [Arm(row_name(entry, point, runs.tuned).label, point) for point in _fitting(study, entry, runs, where)]


def check_floors(study: Study, where: str) -> None:
    """InputError where a floor is named and the study measures none."""
    if not study.floors:
        raise InputError(f"{where}.floor: the study has floors: false; leave that out")


def _fitting(study: Study, entry: MethodEntry, runs: Named, where: str) -> list[Point]:
    """The entry's grid points with these values, over all data sets it is pretrained on."""
    searched = study.tuning.search_of(entry.label).space if runs.tuned and study.tuning else {}
    all_points: list[Point] = []
    for dataset in study.pretraining_sets:
        for point in points(study, entry, dataset):
            kept = {path: value for path, value in point.items() if path not in searched}
            if kept not in all_points:
                all_points.append(kept)
    axes: dict[str, list[Any]] = {}
    for path, value in (item for point in all_points for item in point.items()):
        axes.setdefault(path, []).append(value)
    for path, value in runs.at.items():
        if path not in axes:
            raise InputError(f"{where}.at.{path}: {entry.label} has no such grid axis; {_there_are(axes)}")
        if value not in axes[path]:
            raise InputError(f"{where}.at.{path}: the grid has no {value!r}; {_there_are(axes[path])}")
    return [point for point in all_points if all(point.get(path) == value for path, value in runs.at.items())]


def _there_are(values: Any) -> str:
    return f"there are: {', '.join(map(str, dict.fromkeys(map(str, values)))) or 'none'}"


def number(study: Study, metric: str | None, where: str, who: str) -> str:
    """PROTOCOL/NUMBER of what is measured, by default the main protocol's headline. ``who`` asks: the claim."""
    uses = [evaluation.use for evaluation in study.evaluation]
    protocol, _, name = (metric or study.main or study.main_protocol.use).partition("/")
    fitting = [evaluation for evaluation in study.evaluation if evaluation.is_called(protocol)]
    if not fitting:
        raise InputError(f"{where}: the study has no evaluation {protocol!r}; {suggestion(protocol, uses)}")
    if len(fitting) > 1:
        raise InputError(
            f"{where}: the study has {len(fitting)} evaluations that use {protocol}, and {who} does not say "
            f"which; leave one of them, or add an option that tells them apart: {protocol.partition('[')[0]}[OPTION=VALUE]"
        )
    numbers = fitting[0].numbers
    if name and name not in numbers:
        raise InputError(f"{where}: {protocol} has no number {name!r}; {suggestion(name, list(numbers))}")
    return f"{protocol}/{name or numbers[0]}"


def evaluation_of(study: Study, number: str) -> Protocol:
    """The evaluation whose number it is, in the form of ``number``."""
    return next(each for each in study.evaluation if each.is_called(number.rpartition("/")[0]))
