"""Accuracy against the number of labels, a chart for every data set and protocol."""

from collections.abc import Iterator

from pipelines.colours import styles
from pipelines.report.material import Material
from pipelines.report.section import Chart, Section
from pipelines.report.shot_charts import shot_chart
from pipelines.report.shots import shot_curves

ORDER = 100


def sections(material: Material) -> Iterator[Section]:
    """Empty where nothing was measured with two numbers of labels."""
    found = [curves for comparison in material.comparisons for curves in shot_curves(comparison)]
    style = styles({point.row.title: point.row.method for curves in found for point in curves.points})
    drawn = tuple(Chart(curves.title, shot_chart(curves, style)) for curves in found)
    words = material.caption("shots")
    yield Section("shots", "Accuracy against labels", words, drawn, legend=tuple(style.items()))
