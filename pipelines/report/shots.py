"""Accuracy against the number of labels: few-shot and low-shot columns of a comparison as points of a curve."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.spec.evaluation.base import Protocol
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.evaluation.low_shot import Options as LowShot


@dataclass(frozen=True)
class ShotPoint:
    """One method at one number of labels: mean over seeds in percent, and one standard deviation to either side.

    ``low`` and ``high`` are the mean itself where there is one seed.
    """

    row: Row
    labels: float
    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class ShotCurves:
    """All methods of one data set by one protocol. ``unit``: what the labels are counted in."""

    title: str
    unit: str
    points: tuple[ShotPoint, ...]


def shot_curves(comparison: Comparison) -> list[ShotCurves]:
    """One for each protocol and unit that was measured at two numbers of labels, or more."""
    by_unit: dict[tuple[str, str], list[tuple[float, Column]]] = {}
    for column in comparison.columns:
        for unit, labels in _amount(column.evaluation, column.metric.number):
            by_unit.setdefault((column.protocol, unit), []).append((labels, column))
    found = []
    for (protocol, unit), columns in by_unit.items():
        points = tuple(point for row in comparison.rows for point in _points(comparison, row, columns))
        if len({point.labels for point in points}) > 1:
            title = f"{comparison.dataset.short_name} · {protocol}"
            found.append(ShotCurves(title, unit, points))
    return found


def _amount(evaluation: Protocol, number: str) -> Iterator[tuple[str, float]]:
    """The unit and amount of labels that a number of the record is of; none where it is of no such amount."""
    if isinstance(evaluation, FewShot) and number in evaluation.numbers:
        yield "labelled images a class", evaluation.shots[evaluation.numbers.index(number)]
    if isinstance(evaluation, LowShot) and number in evaluation.numbers:
        amount = evaluation.labels[evaluation.numbers.index(number)]
        yield ("labelled images a class", amount) if isinstance(amount, int) else ("labels (%)", 100 * amount)


def _points(comparison: Comparison, row: Row, columns: list[tuple[float, Column]]) -> Iterator[ShotPoint]:
    for labels, column in sorted(columns, key=lambda pair: pair[0]):
        cell = comparison.cells[row, column]
        if cell.mean is not None and not cell.is_exact:
            sd = cell.estimate.sd if cell.estimate and cell.estimate.sd is not None else 0.0
            yield ShotPoint(row, labels, cell.mean, cell.mean - sd, cell.mean + sd, cell.n)
