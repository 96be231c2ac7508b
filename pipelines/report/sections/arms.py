"""Ablations: a number against the values of an option."""

from collections.abc import Iterator

from pipelines.report.arms import arms_charts, arms_styles
from pipelines.report.material import Material
from pipelines.report.section import Chart, Section

ORDER = 50


def sections(material: Material) -> Iterator[Section]:
    """Empty where no option has several values."""
    found = material.comparisons
    drawn = tuple(Chart(title, spec) for title, spec in arms_charts(found))
    yield Section("arms", "Ablations", material.caption("arms"), drawn, legend=tuple(arms_styles(found).items()))
