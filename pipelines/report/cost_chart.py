"""Accuracy against the cost of training: a point a method, and the front that none passes in both."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from pipelines.colours import INK, RULE, styles
from pipelines.report.cells import Column
from pipelines.report.charts import Rows, Spec, coloured, finished, focus, named, shaped
from pipelines.report.costs import CostPoint
from pipelines.report.label_places import LINE, is_far, label_places

WIDTH, HEIGHT = 520, 300
MARGIN = 24
"""Pixels between the outermost dots and the ends of the axes."""


class Frame:
    """The scales of the chart, so that names can be placed by pixels: seconds logarithmic, values linear."""

    def __init__(self, points: Sequence[CostPoint]) -> None:
        logs, values = [math.log10(point.seconds) for point in points], [point.value for point in points]
        self.x, self.y = _widened(min(logs), max(logs), WIDTH), _widened(min(values), max(values), HEIGHT)

    def pixels(self, point: CostPoint) -> tuple[float, float]:
        """From the left and the top."""
        (left, right), (low, high) = self.x, self.y
        across = (math.log10(point.seconds) - left) / (right - left)
        return WIDTH * across, HEIGHT * (high - point.value) / (high - low)

    def values(self, x: float, y: float) -> tuple[float, float]:
        """Seconds and value at a pixel."""
        (left, right), (low, high) = self.x, self.y
        return 10 ** (left + (right - left) * x / WIDTH), high - (high - low) * y / HEIGHT


def cost_chart(points: Sequence[CostPoint], column: Column) -> Spec:
    """``points``: the cheapest first, with seconds above 0; the axis is logarithmic."""
    rows = [_row(point) for point in points]
    front = [row for row, point in zip(rows, points) if point.is_front]
    frame, style = Frame(points), styles({point.row.title: point.row.method for point in points})
    words, lines = _names(points, frame)
    seconds, value = "seconds of a pretraining (median over seeds)", f"{column.title}, test (%)"
    across = alt.Scale(type="log", nice=False, domain=[10**end for end in frame.x])
    x = alt.X("seconds:Q", title=seconds, scale=across, axis=alt.Axis(format="~g", labelOverlap=True))
    y = alt.Y("value:Q", title=value, scale=alt.Scale(zero=False, nice=False, domain=list(frame.y)))
    tip = [
        alt.Tooltip("label:N", title="method"),
        alt.Tooltip("seconds:Q", title="seconds", format=",.4~g"),
        alt.Tooltip("value:Q", title="%", format=".2f"),
        alt.Tooltip("front:N", title="cost and accuracy"),
    ]
    line = named(front).mark_line(interpolate="step-after", strokeDash=[4, 3], color=RULE).encode(x=x, y=y)
    leads = named(lines).mark_rule(color=RULE, strokeWidth=0.7)
    dots = named(rows).mark_point(size=70, filled=True)
    look = {"color": coloured(style, style, fields=False), "shape": shaped(style, style)}
    names = named(words).mark_text(fontSize=11, color=INK, baseline="middle")
    layers = [
        line,
        *([leads.encode(x=x, y=y, x2="to_seconds:Q", y2="to_value:Q", opacity=focus(0.9))] if lines else []),
        dots.encode(x=x, y=y, **look, opacity=focus(1.0), tooltip=tip),
        names.encode(x=x, y=y, text="label:N", opacity=focus(1.0)),
    ]
    return finished(alt.layer(*layers), WIDTH, HEIGHT, rows, front, *([lines] if lines else []), words)


def _row(point: CostPoint) -> dict[str, Any]:
    return {
        "label": point.row.title,
        "seconds": float(f"{point.seconds:.4g}"),
        "value": round(point.value, 3),
        "front": "on the front" if point.is_front else "behind the front",
    }


def _names(points: Sequence[CostPoint], frame: Frame) -> tuple[Rows, Rows]:
    """Where each name stands, those of the front chosen first, and the lines to those that are far from their dot."""
    order = sorted(points, key=lambda point: not point.is_front)
    dots = [frame.pixels(point) for point in order]
    words: Rows = []
    lines: Rows = []
    for point, dot, box in zip(order, dots, label_places(dots, [each.row.title for each in order], WIDTH, HEIGHT)):
        if box is None:
            continue
        words.append({"label": point.row.title} | _at(frame, box.x, box.y))
        if is_far(dot, box):
            edge = box.y + math.copysign(LINE / 2, dot[1] - box.y)
            end = {f"to_{name}": value for name, value in _at(frame, box.x, edge).items()}
            lines.append({"label": point.row.title} | _at(frame, *dot) | end)
    return words, lines


def _at(frame: Frame, x: float, y: float) -> dict[str, float]:
    seconds, value = frame.values(x, y)
    return {"seconds": float(f"{seconds:.5g}"), "value": round(value, 3)}


def _widened(low: float, high: float, pixels: int) -> tuple[float, float]:
    """With a margin on both sides."""
    more = ((high - low) or 1.0) * MARGIN / (pixels - 2 * MARGIN)
    return low - more, high + more
