"""Accuracy against the cost of training: a point a method, and the front that none passes in both."""

from collections.abc import Sequence

import altair as alt

from pipelines.colours import INK, RULE, styles
from pipelines.report.cells import Column
from pipelines.report.charts import Spec, coloured, finished, focus, named
from pipelines.report.costs import CostPoint


def cost_chart(points: Sequence[CostPoint], column: Column) -> Spec:
    """``points``: the cheapest first, with seconds above 0; the axis is logarithmic."""
    rows = [
        {
            "label": point.row.title,
            "seconds": float(f"{point.seconds:.4g}"),
            "value": round(point.value, 3),
            "front": "on the front" if point.is_front else "behind the front",
        }
        for point in points
    ]
    front = [row for row, point in zip(rows, points) if point.is_front]
    style = styles({point.row.title: point.row.method for point in points})
    x = alt.X(
        "seconds:Q",
        title="seconds of a pretraining (median over seeds)",
        scale=alt.Scale(type="log", nice=False, padding=24),
    )
    y = alt.Y("value:Q", title=f"{column.title}, test (%)", scale=alt.Scale(zero=False, padding=12))
    tip = [
        alt.Tooltip("label:N", title="method"),
        alt.Tooltip("seconds:Q", title="seconds", format=",.4~g"),
        alt.Tooltip("value:Q", title="%", format=".2f"),
        alt.Tooltip("front:N", title="cost and accuracy"),
    ]
    line = named(front).mark_line(interpolate="step-after", strokeDash=[4, 3], color=RULE).encode(x=x, y=y)
    dots = (
        named(rows)
        .mark_circle(size=80)
        .encode(x=x, y=y, color=coloured(style, style, fields=False), opacity=focus(0.95), tooltip=tip)
    )
    names = named(rows).mark_text(dy=-11, fontSize=11, color=INK).encode(x=x, y=y, text="label:N", opacity=focus(1.0))
    return finished(alt.layer(line, dots, names), 520, 280, rows, front)
