"""From a plan and its records to everything a reader gets: the page, tables and figures."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.files import write_text
from pipelines.report.answer import answer
from pipelines.report.brief import brief_of, save
from pipelines.report.classes import per_class_csv
from pipelines.report.comparison import NOT_JUDGED
from pipelines.report.material import Material
from pipelines.report.missing import missing
from pipelines.report.mixed import Standings
from pipelines.report.numbers import results_csv
from pipelines.report.opened import behind_tables, opened
from pipelines.report.page import Head, render_page, write_figures
from pipelines.report.pairs import pairs_csv
from pipelines.report.reproduction_table import summary as reproduction_summary
from pipelines.report.section import Section, unshown
from pipelines.report.sections import all_sections
from pipelines.report.siunitx import to_siunitx
from pipelines.report.study import Results
from pipelines.report.summary import overview, warnings
from pipelines.report.tables import Table, to_csv, to_markdown
from pipelines.report.verdicts import told
from pipelines.spec.layout import FIGURES, PAGE, TABLES

UNPRINTED = ("settings", "data", "classes", "confusions")
"""Tables, by the beginning of their names, that nobody puts into a paper: they have no LaTeX."""


def build_report(results: Results, out: Path, texts: Path, standing: Standings = NOT_JUDGED) -> Path:
    """Write report.html, tables/ and figures/ into ``out``; the path of report.html, which is written last.

    ``texts``: the project's reports folder, with published/, templates/ and captions/. ``standing``: how records stand to the
    code of now, as far as the caller knows.
    """
    material = Material(results, texts, out, standing)
    sections = all_sections(material)
    sections.append(_numbers(material, sections))
    _write_tables(material, sections, out / TABLES)
    figures = write_figures(sections, out / FIGURES)
    head = _head(material, sections)
    save(brief_of(results, head.answer.short, head.claims), out)
    write_text(out / PAGE, render_page(results, head, sections, texts / "templates", figures))
    return out / PAGE


def _head(material: Material, sections: Sequence[Section]) -> Head:
    """What stands above the sections: the answer first."""
    results, verdicts = material.results, material.verdicts
    found = answer(results, material.comparisons, verdicts)
    troubles = [*warnings(results), *unshown(sections)]
    figures = reproduction_summary(material.reproduced)
    return Head(found, figures, told(verdicts), missing(results), troubles, overview(results))


def _numbers(material: Material, sections: Sequence[Section]) -> Section:
    """What is behind every number of all other sections, and of the claims at the head."""
    inside = behind_tables(table for each in sections for table in each.tables)
    found = [*inside, *(each.behind for each in material.verdicts if each.behind)]
    entries = opened(material.results, found, material.page)
    return Section("numbers", "Numbers", material.caption("numbers"), opened=entries, part="provenance")


def _write_tables(material: Material, sections: Sequence[Section], folder: Path) -> None:
    """Every table of the page, but that of the jobs, which records.csv tells; and three with numbers in full, as CSV."""
    for table in [table for section in sections for table in section.tables if table.name != "jobs"]:
        _write_table(table, material.results.study, folder)
    write_text(folder / "results.csv", results_csv(material.beside))
    if any(each for _, each in material.paired):
        write_text(folder / "pairs.csv", pairs_csv(material.paired))
    if any(material.confusions):
        write_text(folder / "per_class.csv", per_class_csv(material.confusions))


def _write_table(table: Table, study: str, folder: Path) -> None:
    texts = {"md": to_markdown(table), "csv": to_csv(table)}
    if table.name.partition("-")[0] not in UNPRINTED:
        texts["tex"] = to_siunitx(
            table, f"Table {table.name} of the study {study}, written by python -m pipelines report."
        )
    for ending, text in texts.items():
        write_text(folder / f"{table.name}.{ending}", text)
