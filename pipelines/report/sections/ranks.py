"""Order of the methods: whether the protocols of a data set agree on it."""

from collections.abc import Iterator

from pipelines.report.material import Material
from pipelines.report.section import Section
from pipelines.report.sensitivity import ranks_tables

ORDER = 80


def sections(material: Material) -> Iterator[Section]:
    """Empty where no two protocols share enough methods."""
    words = material.caption("ranks")
    yield Section("ranks", "Order of the methods", words, tables=ranks_tables(material.comparisons, words[0]))
