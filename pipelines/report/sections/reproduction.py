"""Published figures that the study sets out to reproduce, with the verdict on each."""

from collections.abc import Iterator

from pipelines.report.material import Material
from pipelines.report.reproduction_table import reproduction_table
from pipelines.report.section import Section

ORDER = 60


def sections(material: Material) -> Iterator[Section]:
    """Empty where the study names none."""
    found, words = material.reproduced, material.caption("reproduction")
    tables = (reproduction_table(found, words[0]),) if found else ()
    yield Section("reproduction", "Published figures to reproduce", words, tables=tables, part="elsewhere")
