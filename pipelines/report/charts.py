"""Charts: Vega-Lite specs made with Altair, the same for the interactive page and the static figures.

Every chart has the parameter ``focus``: the page sets it to some labels and all others fade. Names of parameters are
given, never counted by Altair, so that the same data give the same text.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from pipelines.colours import GRID, INK, RULE, Style, styles
from pipelines.files import digest
from pipelines.report.cells import Column
from pipelines.report.comparison import Comparison
from pipelines.report.floors import CHANCE, MAJORITY

Spec = dict[str, Any]
Rows = list[dict[str, Any]]
ROOM = 6
"""Pixels between the outermost dot and the end of its axis: without them half of a dot is cut off."""


def comparison_chart(comparison: Comparison, column: Column) -> Spec:
    """One column of the main table: every seed a dot, the mean a bar; the highest floor and the supervised ceiling thin lines.

    Chance and the majority class stand in the table alone: at 10 % they would press methods that differ by points into a
    twentieth of the axis.
    """
    rows = [row for row in comparison.rows if row not in (CHANCE, MAJORITY)]
    style = styles({row.title: row.method for row in rows})
    order = [row.title for row in rows]
    cells = [(row.title, comparison.cells[row, column]) for row in rows]
    dots = [{"label": label, "value": round(value, 3)} for label, cell in cells for value in cell.by_seed.values()]
    means = [
        {"label": label, "value": round(cell.mean, 3), "n": cell.n} for label, cell in cells if cell.mean is not None
    ]
    y = alt.Y("label:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(labelLimit=260))
    scale = alt.Scale(zero=False, padding=ROOM)
    x = alt.X("value:Q", title=f"{column.title}, test (%)", scale=scale, axis=alt.Axis(tickCount=7))
    tip = [alt.Tooltip("label:N", title="method"), alt.Tooltip("value:Q", title="%", format=".2f")]
    colour = coloured(style, order, fields=False)
    layers = [
        named(dots)
        .mark_point(size=50, strokeWidth=1.6)
        .encode(x=x, y=y, color=colour, shape=shaped(style, order), opacity=focus(1.0), tooltip=tip),
        named(means)
        .mark_tick(thickness=2.5, size=18)
        .encode(x=x, y=y, color=colour, opacity=focus(1.0), tooltip=[*tip, alt.Tooltip("n:Q", title="mean of n")]),
    ]
    datasets = [dots, means]
    bounds = (("highest floor", comparison.floor(column), [5, 4]), ("supervised", comparison.ceiling(column), [1, 0]))
    for name, bound, dash in bounds:
        if bound is not None:
            datasets.append([{"value": round(bound, 3), "label": name}])
            rule = named(datasets[-1])
            layers.append(rule.mark_rule(strokeDash=dash, color=RULE).encode(x=x, tooltip=tip))
    return finished(alt.layer(*layers), 340, 24 * len(order) + 10, *datasets)


def side_by_side(charts: Sequence[tuple[str, Spec]], columns: int = 2) -> Spec:
    """Titled charts in a grid with one legend below: the static figure of a section."""
    panels = []
    for title, chart in charts:
        panel = {
            key: value for key, value in chart.items() if key not in ("config", "params", "datasets", "background")
        }
        panels.append({"title": title} | panel)
    datasets = {name: rows for _, chart in charts for name, rows in chart["datasets"].items()}
    first = charts[0][1]
    grid = {"concat": panels, "columns": columns, "datasets": datasets, "params": first["params"]}
    return {"$schema": first["$schema"], "config": first["config"], "background": "white"} | grid


def named(rows: Rows) -> Any:
    """A chart of ``rows``, by name: Altair would check every row of inline data, which takes seconds."""
    return alt.Chart(alt.NamedData(name=_name(rows)))


def _name(rows: Rows) -> str:
    return f"data-{digest(rows, 12)}"


def coloured(style: dict[str, Style], labels: Iterable[str], fields: bool = True) -> Any:
    """The fixed colours. ``fields`` False: no legend, because an axis names the labels."""
    domain = list(dict.fromkeys(labels))
    scale = alt.Scale(domain=domain, range=[style[label].colour for label in domain])
    return alt.Color("label:N", scale=scale, legend=alt.Legend(title=None) if fields else None)


def dashed(style: dict[str, Style], labels: Iterable[str]) -> Any:
    """The dashes that tell labels of one colour apart."""
    domain = list(dict.fromkeys(labels))
    scale = alt.Scale(domain=domain, range=[list(style[label].dash) or [1, 0] for label in domain])
    return alt.StrokeDash("label:N", scale=scale, legend=alt.Legend(title=None))


def shaped(style: dict[str, Style], labels: Iterable[str]) -> Any:
    """The shapes of dots that tell labels of one colour apart."""
    domain = list(dict.fromkeys(labels))
    return alt.Shape(
        "label:N", scale=alt.Scale(domain=domain, range=[style[label].shape for label in domain]), legend=None
    )


def focus(shown: float) -> Any:
    """``shown`` opacity for labels in focus, or for all when none is, else nearly transparent."""
    inside = "length(focus) === 0 || indexof(focus, datum.label) >= 0"
    return alt.condition(inside, alt.value(shown), alt.value(0.07))


def finished(chart: Any, width: int, height: int, *datasets: Rows) -> Spec:
    """``plain`` with a size."""
    return plain(chart.properties(width=width, height=height), *datasets)


def plain(chart: Any, *datasets: Rows) -> Spec:
    """The finished spec: the focus parameter, a plain look, and the rows that ``chart`` names."""
    full = chart.add_params(alt.param(name="focus", value=[]))
    look = (
        full.configure(font="system-ui, Helvetica, Arial, sans-serif", background="white")
        .configure_view(stroke=None)
        .configure_axis(labelColor=INK, titleColor=INK, gridColor=GRID, titleFontWeight="normal", titleFontSize=12)
        .configure_header(labelColor=INK, titleColor=INK)
        .configure_legend(
            orient="bottom", columns=4, labelLimit=240, symbolStrokeWidth=2.5, symbolOpacity=1, labelColor=INK
        )
        .configure_title(anchor="start", fontSize=13, fontWeight="bold", color=INK)
    )
    spec: Spec = look.to_dict()
    return spec | {"datasets": {_name(rows): rows for rows in datasets}}
