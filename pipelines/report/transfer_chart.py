"""How every method does on every data set, as a heat map: the table of means for the eye."""

from collections.abc import Sequence

import altair as alt

from pipelines.colours import PAPER, TILE_DEEP, TILE_PALE
from pipelines.report.cells import Column
from pipelines.report.charts import Rows, Spec, finished, focus, named
from pipelines.report.comparison import Comparison
from pipelines.report.transfer import mean_ranks_of, places_of


def transfer_charts(found: Sequence[Comparison]) -> list[tuple[str, Spec]]:
    """(protocol, map) for every protocol that two data sets and two methods have numbers of."""
    columns = list(dict.fromkeys(column for each in found for column in each.columns))
    drawn = [(column.title, _heat_map(found, column)) for column in columns]
    return [(title, spec) for title, spec in drawn if spec]


def _heat_map(found: Sequence[Comparison], column: Column) -> Spec | None:
    """A row a method by mean rank, a column a data set; the darker, the nearer to the best there. Means stand inside."""
    places, ranks = places_of(found), mean_ranks_of(found, column)
    rows: Rows = []
    labels = list(dict.fromkeys(row.label for each in found for row in each.rows if not row.is_floor))
    order = sorted(labels, key=lambda label: (ranks.get(label, float("inf")), labels.index(label)))
    for place in places:
        means = {label: place.of(label, column).mean for label in order}
        known = {label: mean for label, mean in means.items() if mean is not None}
        for label, mean in known.items():
            behind, rank = round(max(known.values()) - mean, 3), ranks.get(label)
            told = {"mean": round(mean, 3), "behind": behind, "rank": "–" if rank is None else f"{rank:.1f}"}
            rows.append({"label": label, "dataset": place.title, **told})
    if len({row["dataset"] for row in rows}) < 2 or len({row["label"] for row in rows}) < 2:
        return None
    x = alt.X("dataset:N", title=None, sort=None, axis=alt.Axis(orient="top", labelAngle=0, labelLimit=150))
    y = alt.Y("label:N", title=None, sort=order, axis=alt.Axis(labelLimit=260))
    shades = alt.Scale(range=["#2C6E9B", "#F4F6F8"])
    dark = max(row["behind"] for row in rows) / 4
    tips = [
        alt.Tooltip("label:N", title="method"),
        alt.Tooltip("dataset:N", title="data set"),
        alt.Tooltip("mean:Q", title="mean (%)", format=".2f"),
        alt.Tooltip("behind:Q", title="points behind the best", format=".2f"),
        alt.Tooltip("rank:N", title="mean rank"),
    ]
    base = named(rows).encode(x=x, y=y, opacity=focus(1.0), tooltip=tips)
    tiles = base.mark_rect(stroke=PAPER).encode(color=alt.Color("behind:Q", scale=shades, legend=None))
    ink = alt.condition(f"datum.behind <= {dark}", alt.value(TILE_PALE), alt.value(TILE_DEEP))
    words = base.mark_text(fontSize=11).encode(text=alt.Text("mean:Q", format=".1f"), color=ink)
    return finished(alt.layer(tiles, words), 110 * len({row["dataset"] for row in rows}), 24 * len(order), rows)
