"""Classes: every class's accuracy by method, and which classes a method names for which."""

from collections.abc import Iterator

from pipelines.report.classes import class_tables
from pipelines.report.material import Material
from pipelines.report.section import Section

ORDER = 110


def sections(material: Material) -> Iterator[Section]:
    """Folded; empty where no predictions were kept."""
    words = material.caption("classes")
    tables = class_tables(material.confusions, words[0])
    fold = f"Show {len(tables)} tables of classes and confusions"
    yield Section("classes", "Classes", words, tables=tables, fold=fold)
