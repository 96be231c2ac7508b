"""Accuracy against cost: a chart a data set with at least two methods to place."""

from collections.abc import Iterator

from pipelines.report.cost_chart import cost_chart
from pipelines.report.costs import costs, points
from pipelines.report.material import Material
from pipelines.report.section import Chart, Section

ORDER = 40


def sections(material: Material) -> Iterator[Section]:
    """By the study's main number."""
    drawn = []
    for comparison in material.comparisons:
        for column in comparison.columns[:1]:
            placed = points(comparison, column, costs(material.results, comparison))
            if len(placed) > 1:
                drawn.append(Chart(f"{comparison.dataset.short_name} · {column.title}", cost_chart(placed, column)))
    yield Section("cost", "Accuracy against cost", material.caption("cost"), tuple(drawn))
