"""Charts of accuracy against the number of labels."""

import altair as alt

from pipelines.colours import Style
from pipelines.report.charts import Spec, coloured, dashed, finished, focus, named
from pipelines.report.shots import ShotCurves


def shot_chart(curves: ShotCurves, style: dict[str, Style]) -> Spec:
    """A line a method through its means, labels on a logarithmic axis, in a band of one standard deviation over seeds."""
    rows = [
        {
            "label": point.row.title,
            "labels": float(f"{point.labels:.6g}"),
            **{name: round(getattr(point, name), 3) for name in ("mean", "low", "high")},
            "n": point.n,
        }
        for point in curves.points
    ]
    order = list(dict.fromkeys(point.row.title for point in curves.points))
    ticks = sorted({float(f"{point.labels:.6g}") for point in curves.points})
    axis = alt.Axis(values=ticks, format="~g", labelOverlap=True)
    x = alt.X("labels:Q", title=curves.unit, scale=alt.Scale(type="log", nice=False), axis=axis)
    y = alt.Scale(zero=False)
    colour = coloured(style, order)
    tips = [
        alt.Tooltip("label:N", title="method"),
        alt.Tooltip("labels:Q", title=curves.unit),
        alt.Tooltip("mean:Q", title="mean (%)", format=".2f"),
        alt.Tooltip("n:Q", title="seeds"),
    ]
    base = named(rows)
    band = base.mark_area().encode(
        x=x, y=alt.Y("low:Q", title="top-1, test (%)", scale=y), y2="high:Q", color=colour, opacity=focus(0.15)
    )
    mean, dash = alt.Y("mean:Q", title="top-1, test (%)", scale=y), dashed(style, order)
    line = base.mark_line(strokeWidth=2, point=True).encode(
        x=x, y=mean, color=colour, strokeDash=dash, opacity=focus(0.9), tooltip=tips
    )
    return finished(alt.layer(band, line), 340, 220, rows)
