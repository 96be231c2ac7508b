"""Timings: what each stage took, and how far off the price was that had been named for it."""

from collections.abc import Iterator

from pipelines.report.material import Material
from pipelines.report.section import Section
from pipelines.report.summary import timings_table

ORDER = 190


def sections(material: Material) -> Iterator[Section]:
    """One table."""
    words = material.caption("timings")
    yield Section("timings", "Timings", words, tables=(timings_table(material.results, words[0]),), part="provenance")
