"""The sections of the page: one file a section, found by its folder. Its words stand in reports/captions/NAME.md.

A file has ``ORDER``, by which sections of one part of the page follow each other, and ``sections(material)``.
"""

import importlib

from pipelines.report.material import Material
from pipelines.report.section import Section
from pipelines.spec import kinds


def all_sections(material: Material) -> list[Section]:
    """Those of every file, in the order of the page inside each of its parts; some may be empty."""
    files = [importlib.import_module(f"{__name__}.{name}") for name in kinds.names(__name__)]
    return [section for file in sorted(files, key=lambda file: file.ORDER) for section in file.sections(material)]
