"""Settings: what all methods share, then what each one changes."""

from collections.abc import Iterator

from pipelines.report.material import Material
from pipelines.report.section import Section
from pipelines.report.settings import settings_table

ORDER = 130


def sections(material: Material) -> Iterator[Section]:
    """Empty where nothing is pretrained."""
    words = material.caption("settings")
    chosen = {search.key: search.best.params for search in material.searches if search.best}
    table = settings_table(material.results, chosen, words[0])
    yield Section("settings", "Settings", words, tables=(table,) if table.rows else (), part="provenance")
