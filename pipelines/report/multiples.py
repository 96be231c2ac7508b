"""Small multiples: a panel a method over one shared scale, because many lines in one chart cannot be told apart."""

from collections.abc import Mapping, Sequence

import altair as alt

from pipelines.colours import Style, styles
from pipelines.report.charts import Spec, coloured, focus, named, plain
from pipelines.report.curves import Curve
from pipelines.report.score_charts import TIP, bands
from pipelines.report.section import Chart

WIDTH, HEIGHT = 104, 66
"""Pixels of a panel: three beside each other still fit a phone."""
SHORT = 18
"""Characters of a name that fit above a panel of that width."""


def multiples_chart(curves: Sequence[Curve], title: str, style: dict[str, Style]) -> Spec:
    """One metric against the training step, a panel a label: the mean over seeds, in a band from lowest to highest."""
    rows = bands(curves, positive=False)
    order = list(dict.fromkeys(row["label"] for row in rows))
    columns = 3 if max(map(len, order)) <= SHORT else 2
    width = WIDTH if columns == 3 else WIDTH * 3 // 2
    x = alt.X("step:Q", title=None, axis=alt.Axis(tickCount=2, format="~s"))
    scale = alt.Scale(zero=False)
    axis = alt.Axis(tickCount=3)
    colour = coloured(style, order, fields=False)
    base = alt.Chart()
    y = alt.Y("low:Q", title=None, scale=scale, axis=axis)
    band = base.mark_area().encode(x=x, y=y, y2="high:Q", color=colour, opacity=focus(0.3), tooltip=TIP)
    line = base.mark_line(strokeWidth=1.7, strokeJoin="round", point=alt.OverlayMarkDef(size=14))
    y = alt.Y("mean:Q", title=None, scale=scale, axis=axis)
    mean = line.encode(x=x, y=y, color=colour, opacity=focus(0.95), tooltip=TIP)
    head = alt.Header(
        title=f"{title}, against the training step", labelFontSize=10.5, labelPadding=3, labelLimit=width + 12
    )
    panels = alt.layer(band, mean).properties(width=width, height=HEIGHT)
    facet = alt.Facet("label:N", sort=order, header=head)
    return plain(panels.facet(facet, columns=columns, data=named(rows).data), rows)


def multiples(found: Sequence[Curve], metrics: Mapping[str, str]) -> tuple[Chart, ...]:
    """A chart for every data set and metric. ``metrics``: of the curves those to draw, each with its words."""
    inside = [curve for curve in found if curve.metric in metrics]
    style = styles({curve.label: curve.name.method for curve in inside})
    drawn = []
    for dataset in dict.fromkeys(curve.dataset for curve in inside):
        for metric, words in metrics.items():
            group = [curve for curve in inside if (curve.dataset, curve.metric) == (dataset, metric)]
            if any(len(curve.points) > 1 for curve in group):  # one reading a run draws no line
                drawn.append(Chart(f"{dataset} · {words}", multiples_chart(group, words, style)))
    return tuple(drawn)
