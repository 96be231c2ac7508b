"""Claims: the verdict on each, and how large the difference is beside what is claimed."""

from collections.abc import Iterator

from pipelines.report.material import Material
from pipelines.report.section import Chart, Section
from pipelines.report.verdicts import claims_chart, claims_table

ORDER = 10


def sections(material: Material) -> Iterator[Section]:
    """Empty for a study without claims."""
    found, words = material.verdicts, material.caption("claims")
    chart = claims_chart(found)
    drawn = (Chart("Differences and what is claimed of them", chart),) if chart else ()
    yield Section("claims", "Claims", words, drawn, (claims_table(found, words[0]),) if found else ())
