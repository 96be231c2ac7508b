"""Charts of tuning studies: trials and the best so far, expected best against budget, the objective against an option."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from pipelines.colours import Style
from pipelines.report.charts import Spec, coloured, dashed, finished, focus, named
from pipelines.report.tuning import SearchResult
from pipelines.spec.tuning import Value
from pipelines.statistics.expected_best import expected_best


def best_so_far_chart(searches: Sequence[SearchResult], style: dict[str, Style]) -> Spec:
    """Every complete trial a dot, the best value up to it a step line."""
    trials = [
        {"label": search.label, "trial": trial.number, "value": round(100 * (trial.value or 0.0), 3)}
        for search in searches
        for trial in search.complete
    ]
    best = [
        {"label": search.label, "trial": number, "value": round(100 * value, 3)}
        for search in searches
        for number, value in search.so_far()
    ]
    x = alt.X("trial:Q", title="trial", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("value:Q", title="objective (%)", scale=alt.Scale(zero=False))
    colour = coloured(style, [search.label for search in searches])
    dash = dashed(style, [search.label for search in searches])
    lines = (
        named(best)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(x=x, y=y, color=colour, strokeDash=dash, opacity=focus(0.9), tooltip=tips())
    )
    dots = named(trials).mark_circle(size=40).encode(x=x, y=y, color=colour, opacity=focus(0.55), tooltip=tips())
    return finished(alt.layer(lines, dots), 340, 220, trials, best)


def expected_best_chart(searches: Sequence[SearchResult], style: dict[str, Style]) -> Spec:
    """What the best of n trials reaches on average, were the trials drawn in another order."""
    rows = [
        {"label": search.label, "trial": n, "value": round(100 * value, 3)}
        for search in searches
        for n, value in enumerate(expected_best(search.worth), start=1)
    ]
    chart = (
        named(rows)
        .mark_line(strokeWidth=2, point=True)
        .encode(
            x=alt.X("trial:Q", title="number of trials", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("value:Q", title="expected best objective (%)", scale=alt.Scale(zero=False)),
            color=coloured(style, [search.label for search in searches]),
            strokeDash=dashed(style, [search.label for search in searches]),
            opacity=focus(0.9),
            tooltip=tips(),
        )
    )
    return finished(chart, 340, 220, rows)


def parameter_chart(searches: Sequence[SearchResult], name: str, style: dict[str, Style]) -> Spec:
    """The objective against one tuned parameter, on the scale it was searched on."""
    scale = next(search.scale(name) for search in searches if name in search.space)
    rows = [
        {
            "label": search.label,
            "trial": trial.number,
            "x": _coordinate(trial.params[name], scale),
            "value": round(100 * (trial.value or 0.0), 3),
        }
        for search in searches
        for trial in search.complete
        if name in trial.params
    ]
    title = f"1 − {name}" if scale == "complement" else name
    field = "x:N" if scale == "choice" else "x:Q"
    chart = (
        named(rows)
        .mark_circle(size=55)
        .encode(
            x=alt.X(field, title=title if scale in ("choice", "linear") else f"{title} (logarithmic)", **_axis(scale)),
            y=alt.Y("value:Q", title="objective (%)", scale=alt.Scale(zero=False)),
            color=coloured(style, (search.label for search in searches)),
            opacity=focus(0.75),
            tooltip=[*tips(), alt.Tooltip(field, title=title)],
        )
    )
    return finished(chart, 340, 220, rows)


def _coordinate(value: Value, scale: str) -> float | str:
    if scale == "choice":
        return str(value)
    return float(f"{1 - float(value) if scale == 'complement' else float(value):.6g}")


def _axis(scale: str) -> dict[str, Any]:
    """Of a number; a logarithmic scale has no zero to leave out, and Vega-Lite warns when told so."""
    if scale == "choice":
        return {}
    kind = (
        alt.Scale(zero=False, nice=False)
        if scale == "linear"
        else alt.Scale(type="log", reverse=scale == "complement", nice=False)
    )
    return {"scale": kind, "axis": alt.Axis(format="~g", tickCount=5, labelOverlap=True)}


def tips() -> list[Any]:
    """Method, trial and objective."""
    return [
        alt.Tooltip("label:N", title="method"),
        alt.Tooltip("trial:Q", title="trial"),
        alt.Tooltip("value:Q", title="objective (%)", format=".2f"),
    ]
