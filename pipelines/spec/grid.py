"""The grid of a study: which points a method is trained at, and what tables call each."""

import itertools
from typing import Any

from pipelines.errors import InputError
from pipelines.spec.datasets.base import DataSet
from pipelines.spec.row_name import RowName, of_method
from pipelines.spec.study import Grid, MethodEntry, Study

Point = dict[str, Any]
"""Option path -> value."""


def points(study: Study, entry: MethodEntry, dataset: DataSet) -> list[Point]:
    """The grid points of one method on one data set: the product of the study's axes and its own; of the ceiling one."""
    axes: Grid = {} if entry == study.ceiling else {**study.grid, **entry.grid}
    for path, values in axes.items():
        if not values:
            raise InputError(f"grid.{path}: needs at least one value")
    if dataset.short_name not in axes.pop("dataset", [dataset.short_name]):
        return []
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]


def row_name(entry: MethodEntry, point: Point, tuned: bool = False) -> RowName:
    """What tables call a run: the entry's label with its grid point."""
    shown = {path: str(value) if str(value).isprintable() else repr(value) for path, value in point.items()}
    return of_method(entry.label, {path.removeprefix("training."): text for path, text in shown.items()}, tuned)
