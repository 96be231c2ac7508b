"""Collapse: spread, rank and likeness of the features over the steps."""

from collections.abc import Iterator

from pipelines.report.curves import COLLAPSE
from pipelines.report.material import Material
from pipelines.report.multiples import multiples
from pipelines.report.section import Section

ORDER = 160


def sections(material: Material) -> Iterator[Section]:
    """Small multiples for every metric and data set."""
    yield Section("collapse", "Collapse", material.caption("collapse"), multiples(material.curves, COLLAPSE))
