"""Ablations: a protocol's number against the value of one option, where a study varies it over three values or more."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from pipelines.colours import Style, styles
from pipelines.report.cells import Cell, Column
from pipelines.report.charts import ROOM, Spec, coloured, dashed, finished, focus, named
from pipelines.report.comparison import Comparison

LEAST = 3
"""Values of an option from which on a line says more than the table."""
TOLD = {"mean": "mean (%)", "low": "interval from", "high": "to"}
"""What the pointer is told, in words."""
WIDE = 20.0
"""How many times the smallest value the largest is, from which on the axis is logarithmic."""
CROWDED = 1 / 30
"""Neighbours on a linear axis that are nearer than this share of it cannot be told apart: 0.99, 0.999 and 0.9999 beside 0."""


@dataclass(frozen=True)
class ArmNumber:
    """A method at one value of an option, with its cell in one column."""

    method: str
    option: str
    value: float
    cell: Cell


def arms(comparison: Comparison, column: Column) -> dict[str, list[ArmNumber]]:
    """Option -> the arms of the methods that have it at ``LEAST`` numbers or more, by method and value."""
    found: dict[tuple[str, str], list[ArmNumber]] = {}
    for row in comparison.rows:
        if not row.pretraining or row.tuned or len(row.point) != 1:
            continue
        ((option, text),) = row.point
        cell = comparison.cells[row, column]
        if (value := _number(text)) is not None and cell.mean is not None:
            found.setdefault((option, row.method), []).append(ArmNumber(row.method, option, value, cell))
    made: dict[str, list[ArmNumber]] = {}
    for (option, _), group in found.items():
        if len({arm.value for arm in group}) >= LEAST:
            made.setdefault(option, []).extend(sorted(group, key=lambda arm: arm.value))
    return made


def arms_charts(found: Sequence[Comparison]) -> list[tuple[str, Spec]]:
    """(title, chart) for every option and column that arms have numbers of."""
    return [
        (f"{comparison.dataset.short_name} · {column.title} against {option}", _chart(group, option, column))
        for comparison in found
        for column in comparison.columns
        for option, group in arms(comparison, column).items()
    ]


def arms_styles(found: Sequence[Comparison]) -> dict[str, Style]:
    """How the methods of all these charts are drawn."""
    groups = [group for each in found for column in each.columns for group in arms(each, column).values()]
    return styles({arm.method: arm.method for group in groups for arm in group})


def _chart(group: Sequence[ArmNumber], option: str, column: Column) -> Spec:
    """A line a method through the means; a bar through each is its 95 % interval."""
    rows = [{"label": arm.method, "x": arm.value, **_numbers(arm.cell)} for arm in group]
    style = styles({arm.method: arm.method for arm in group})
    x = _axis(option, sorted({arm.value for arm in group}))
    title = f"{column.title}, test (%)"
    y, colour = alt.Y("mean:Q", title=title, scale=alt.Scale(zero=False)), coloured(style, style)
    tips = [
        alt.Tooltip("label:N", title="method"),
        alt.Tooltip("x:Q", title=option, format="~g"),
        *(alt.Tooltip(f"{name}:Q", title=words, format=".2f") for name, words in TOLD.items()),
        alt.Tooltip("n:Q", title="seeds"),
    ]
    line = named(rows).mark_line(strokeWidth=1.7, point=alt.OverlayMarkDef(size=45))
    lines = line.encode(x=x, y=y, color=colour, strokeDash=dashed(style, style), opacity=focus(0.95), tooltip=tips)
    low = alt.Y("low:Q", title=title)
    bars = named(rows).mark_rule(strokeWidth=1.2).encode(x=x, y=low, y2="high:Q", color=colour, opacity=focus(0.7))
    return finished(alt.layer(bars, lines), 340, 220, rows)


def _axis(option: str, values: Sequence[float]) -> alt.X:
    """Of the values in ascending order: logarithmic, linear, or, where they would crowd on it, one step a value."""
    if min(values) > 0 and max(values) / min(values) >= WIDE:
        scale = alt.Scale(type="log", nice=False, padding=ROOM)
    elif min(after - before for before, after in itertools.pairwise(values)) < CROWDED * (values[-1] - values[0]):
        return alt.X("x:O", title=option, sort="ascending", axis=alt.Axis(format="~g", labelAngle=0))
    else:
        scale = alt.Scale(zero=False, padding=ROOM)
    return alt.X("x:Q", title=option, scale=scale, axis=alt.Axis(format="~g", tickCount=6, labelOverlap=True))


def _numbers(cell: Cell) -> dict[str, float]:
    """Mean, ends of the interval (the mean where there is none), and number of seeds."""
    mean, estimate = cell.mean or 0.0, cell.estimate
    low = mean if estimate is None or estimate.low is None else estimate.low
    high = mean if estimate is None or estimate.high is None else estimate.high
    return {"mean": round(mean, 3), "low": round(low, 3), "high": round(high, 3), "n": cell.n}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
