"""Published elsewhere: figures of the study's methods that were measured on other images or by another network."""

from collections.abc import Iterator

from pipelines.report.elsewhere import elsewhere_table
from pipelines.report.material import Material
from pipelines.report.section import Section

ORDER = 70


def sections(material: Material) -> Iterator[Section]:
    """Empty where there is none."""
    words = material.caption("published")
    table = elsewhere_table(material.comparisons, material.published, words[0])
    yield Section("published", "Published elsewhere", words, tables=(table,) if table else (), part="elsewhere")
