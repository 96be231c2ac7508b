"""Over all data sets: every method on each of them, and its mean rank."""

from collections.abc import Iterator

from pipelines.report.material import Material
from pipelines.report.section import Chart, Section
from pipelines.report.transfer import transfer_table
from pipelines.report.transfer_chart import transfer_charts

ORDER = 20


def sections(material: Material) -> Iterator[Section]:
    """Empty for a study of one data set."""
    words = material.caption("transfer")
    table = transfer_table(material.comparisons, words[0])
    maps = transfer_charts(material.comparisons) if table else []
    drawn = tuple(Chart(title, spec) for title, spec in maps)
    yield Section("transfer", "Over all data sets", words, drawn, (table,) if table else ())
