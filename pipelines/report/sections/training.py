"""Training: loss and online kNN over the steps."""

from collections.abc import Iterator

from pipelines.report.curves import TRAINING
from pipelines.report.material import Material
from pipelines.report.multiples import multiples
from pipelines.report.section import Section

ORDER = 140


def sections(material: Material) -> Iterator[Section]:
    """Small multiples for every metric and data set."""
    yield Section("training", "Training", material.caption("training"), multiples(material.curves, TRAINING))
