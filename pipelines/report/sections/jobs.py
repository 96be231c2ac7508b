"""Jobs: every planned one with its state and its record."""

from collections.abc import Iterator

from pipelines.report.material import Material
from pipelines.report.section import Section
from pipelines.report.summary import jobs_table

ORDER = 200


def sections(material: Material) -> Iterator[Section]:
    """One table, folded."""
    words = material.caption("jobs")
    table = jobs_table(material.results, words[0], material.page)
    yield Section("jobs", "Jobs", words, tables=(table,), fold=f"Show all {len(table.rows)} jobs", part="provenance")
