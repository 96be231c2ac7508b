"""Charts of scores over training, and of the weights that feature transformation draws."""

from collections.abc import Sequence

import altair as alt

from pipelines.colours import NO_SCORE, Style, ramp
from pipelines.histograms import BINS, ROWS, Histograms
from pipelines.report.charts import Rows, Spec, coloured, dashed, finished, focus, named
from pipelines.report.curves import Curve
from pipelines.statistics.beta import symmetric_density

PALE = "gainsboro"
"""Of the grid of a heat map, whose ground is pale in the dark, too: a name, as colours in numbers give way there."""
POINTS = 99
"""Places at which a density is drawn."""


def heat_map(each: Sequence[Histograms], side: str, title: str) -> Spec:
    """How often each score occurred, by stretch of training: shares of all seeds' scores in it, darker is more."""
    rows = cells(each, side)
    chart = (
        named(rows)
        .mark_rect()
        .encode(
            x=alt.X(
                "from:Q",
                title="training step",
                axis=alt.Axis(tickCount=5, format=",d", gridColor=PALE),
                scale=alt.Scale(nice=False),
            ),
            x2="to:Q",
            y=alt.Y("low:Q", title=title, scale=alt.Scale(domain=[-1, 1]), axis=alt.Axis(tickCount=5, gridColor=PALE)),
            y2="high:Q",
            color=alt.Color(
                "share:Q",
                scale=alt.Scale(scheme="blues", type="sqrt", domain=[0, 1]),
                legend=alt.Legend(title="share of scores", format=".0%"),
            ),
            tooltip=[
                alt.Tooltip("from:Q", title="from step", format=",d"),
                alt.Tooltip("to:Q", title="to step", format=",d"),
                alt.Tooltip("low:Q", title="score from", format=".3f"),
                alt.Tooltip("high:Q", title="score to", format=".3f"),
                alt.Tooltip("share:Q", title="share of scores", format=".1%"),
            ],
        )
    )
    return finished(chart.properties(view=alt.ViewBackground(fill=NO_SCORE)), 340, 170, rows)


def cells(each: Sequence[Histograms], side: str) -> Rows:
    """A row for every stretch and bin that has scores: from, to (steps), low, high (scores), share in (0, 1].

    A stretch reaches to the next one that was read: a training may be read less often than there are stretches.
    """
    counts = [[0] * BINS for _ in range(ROWS)]
    for one in each:
        for row, found in zip(one.rows, one.counts.get(side, ())):
            counts[row] = [old + new for old, new in zip(counts[row], found)]
    steps, read = each[0].total_steps, [row for row, bins in enumerate(counts) if any(bins)]
    return [
        {
            "from": round(steps * row / ROWS, 1),
            "to": round(steps * after / ROWS, 1),
            "low": 2 * place / BINS - 1,
            "high": 2 * (place + 1) / BINS - 1,
            "share": float(f"{number / sum(counts[row]):.3g}"),
        }
        for row, after in zip(read, [*read[1:], ROWS])
        for place, number in enumerate(counts[row])
        if number
    ]


TIP = (
    alt.Tooltip("label:N", title="method"),
    alt.Tooltip("step:Q", format=",.0f"),
    alt.Tooltip("mean:Q", title="mean over seeds", format=".4g"),
    alt.Tooltip("low:Q", title="lowest seed", format=".4g"),
    alt.Tooltip("high:Q", title="highest seed", format=".4g"),
    alt.Tooltip("n:Q", title="seeds"),
)
"""Of what ``bands`` gives."""


def band_chart(curves: Sequence[Curve], title: str, style: dict[str, Style], log: bool) -> Spec:
    """One metric against the training step: of each label the mean over seeds, and from the lowest seed to the highest."""
    rows = bands(curves, positive=log)
    x = alt.X("step:Q", title="training step", axis=alt.Axis(tickCount=5, format=",d"))
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False)
    y = alt.Y("low:Q", title=title, scale=scale, axis=alt.Axis(tickCount=6))
    colour = coloured(style, (row["label"] for row in rows))
    band = named(rows).mark_area().encode(x=x, y=y, y2="high:Q", color=colour, opacity=focus(0.2), tooltip=TIP)
    line = named(rows).mark_line(strokeWidth=1.7, strokeJoin="round")
    y = alt.Y("mean:Q", title=title, scale=scale)
    dash = dashed(style, (row["label"] for row in rows))
    mean = line.encode(x=x, y=y, color=colour, strokeDash=dash, opacity=focus(0.95), tooltip=TIP)
    return finished(alt.layer(band, mean), 340, 220, rows)


def bands(curves: Sequence[Curve], positive: bool) -> Rows:
    """A row for every label and step: mean, low and high over the seeds that have it; ``positive``: of values above 0 alone."""
    found: dict[tuple[str, float], list[float]] = {}
    for curve in curves:
        for step, value in curve.points:
            if value > 0 or not positive:
                found.setdefault((curve.label, round(step, 1)), []).append(value)
    return [
        {
            "label": label,
            "step": step,
            "mean": float(f"{sum(values) / len(values):.5g}"),
            "low": float(f"{min(values):.5g}"),
            "high": float(f"{max(values):.5g}"),
            "n": len(values),
        }
        for (label, step), values in found.items()
    ]


def density_chart(alphas: Sequence[float], shift: float) -> Spec:
    """The density of ``shift`` + Beta(alpha, alpha), a line an alpha."""
    rows = [
        {
            "label": f"alpha {alpha:g}",
            "weight": round(shift + number / (POINTS + 1), 4),
            "density": float(f"{symmetric_density(number / (POINTS + 1), alpha):.4g}"),
        }
        for alpha in alphas
        for number in range(1, POINTS + 1)
    ]
    labels = [f"alpha {alpha:g}" for alpha in alphas]
    style = {label: Style(shade, ()) for label, shade in zip(labels, ramp(len(labels)))}
    line = named(rows).mark_line(strokeWidth=1.9, strokeJoin="round")
    ends = named([row for row in rows if row["weight"] == round(shift + 0.5, 4)])
    encoded = {
        "x": alt.X("weight:Q", title="lambda", scale=alt.Scale(domain=[shift, shift + 1])),
        "y": alt.Y("density:Q", title="density", scale=alt.Scale(zero=True)),
        "color": coloured(style, labels),
        "tooltip": [
            alt.Tooltip("label:N", title="drawn with"),
            alt.Tooltip("weight:Q", title="lambda", format=".2f"),
            alt.Tooltip("density:Q", format=".3g"),
        ],
    }
    named_lines = ends.mark_text(dy=-8, fontSize=12).encode(**encoded, text="label:N")
    middle = [row for row in rows if row["weight"] == round(shift + 0.5, 4)]
    return finished(alt.layer(line.encode(**encoded), named_lines), 340, 220, rows, middle)
