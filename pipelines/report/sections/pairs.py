"""Pairs of rows: their differences and tests."""

from collections.abc import Iterator

from pipelines.report.material import Material
from pipelines.report.pairs import pairs_tables
from pipelines.report.section import Section

ORDER = 90


def sections(material: Material) -> Iterator[Section]:
    """A table a data set, folded."""
    words = material.caption("pairs")
    tables = pairs_tables(material.paired, words[0])
    fold = f"Show {'the table' if len(tables) == 1 else f'{len(tables)} tables'} of differences and tests"
    yield Section("pairs", "Pairs of rows", words, tables=tables, fold=fold)
