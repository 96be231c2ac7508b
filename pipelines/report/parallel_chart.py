"""Parallel coordinates of a search: which values, together, did well."""

import math

import altair as alt

from pipelines.colours import ramp
from pipelines.report.charts import Spec, finished, focus, named
from pipelines.report.tuning import SearchResult, shown
from pipelines.report.tuning_charts import tips
from pipelines.spec.tuning import Choice, Value

SHADES = 8
"""Of lines: few enough to have each a twin on dark ground."""


def parallel_chart(search: SearchResult) -> Spec | None:
    """Parallel coordinates: a line a complete trial through the place of its values in their ranges, light where it did well.

    None for fewer than two parameters, or without a complete trial.
    """
    names, trials = list(search.space), [trial for trial in search.complete if set(search.space) <= set(trial.params)]
    if len(names) < 2 or not trials:
        return None
    lows_to_highs = {name: _span(search, name) for name in names}
    worths = [trial.value or 0.0 for trial in trials]
    rows = []
    for trial in sorted(trials, key=lambda trial: trial.value or 0.0):  # the best are drawn last, above the others
        told = {"label": search.label, "trial": trial.number, "value": round(100 * (trial.value or 0.0), 3)}
        for name in names:
            place = _place(search, name, trial.params[name], lows_to_highs[name])
            rows.append(told | {"option": name, "place": place, "shown": shown(trial.params[name])})
        share = (trial.value - min(worths)) / ((max(worths) - min(worths)) or 1.0) if trial.value is not None else 0.0
        rows.append(told | {"option": "objective", "place": round(share, 4), "shown": f"{told['value']:.2f} %"})
    order = [*names, "objective"]
    x = alt.X("option:N", title=None, sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(labelAngle=-15))
    y = alt.Y("place:Q", title="lowest to highest", axis=alt.Axis(labels=False, ticks=False, tickCount=2))
    shade = alt.Color("value:Q", title="objective (%)", scale=alt.Scale(type="quantize", range=ramp(SHADES)))
    told_by = [*tips(), alt.Tooltip("option:N"), alt.Tooltip("shown:N", title="is")]
    lines = named(rows).mark_line(strokeWidth=1.6, point=alt.OverlayMarkDef(size=26))
    drawn = lines.encode(x=x, y=y, color=shade, detail="trial:N", opacity=focus(0.8), tooltip=told_by)
    return finished(drawn, 340, 220, rows)


def _span(search: SearchResult, name: str) -> tuple[float, float]:
    """The places on the scale of the search that its trials reach; of choices the first and the last."""
    limits = search.space[name]
    if isinstance(limits, Choice):
        return 0.0, len(limits.choices) - 1.0
    reached = [_on_scale(float(trial.params[name]), search.scale(name)) for trial in search.complete]
    return min(reached), max(reached)


def _place(search: SearchResult, name: str, value: Value, span: tuple[float, float]) -> float:
    """0 at the lowest, 1 at the highest."""
    limits = search.space[name]
    if isinstance(limits, Choice):
        place = float(limits.choices.index(value)) if value in limits.choices else 0.0
    else:
        place = _on_scale(float(value), search.scale(name))
    return round((place - span[0]) / ((span[1] - span[0]) or 1.0), 4)


def _on_scale(value: float, scale: str) -> float:
    """Where a number lies on the scale on which it was searched; it grows with the number."""
    if scale == "complement":
        return -math.log(max(1 - value, 1e-12))
    return math.log(max(value, 1e-12)) if scale == "log" else value
