"""Stage tables: write the tables that studies declare, as LaTeX, Markdown, CSV and HTML, from the records alone."""

from pathlib import Path

from pipelines.report.measured import StudyNumbers
from pipelines.report.paper_files import write_table
from pipelines.report.paper_tables import filled
from pipelines.report.study import results_of
from pipelines.report.templates import template
from pipelines.spec.layout import tables_folder
from pipelines.spec.plan import plan_file
from pipelines.spec.published import load_published


def run(studies: list[Path], results: Path, texts: Path) -> None:
    """Write them into results/STUDY/tables, and print where each is and how much of it is not run."""
    published, page = load_published(texts / "published"), template(texts / "templates", "table.html.j2")
    for path in studies:
        made = plan_file(path)
        if not made.tables:
            print(f"{path}: declares no tables; add a list of them under tables (docs/tables.md)")
            continue
        measured = StudyNumbers(results_of(made.dump(), results, f"the plan of {path}"), published)
        for planned in made.tables:
            found = filled(measured, planned)
            first, *_ = write_table(found, made.study.name, tables_folder(results, made.study.name), page)
            left = f"; {len(found.absent)} cells are not run yet, the file says by which jobs" if found.absent else ""
            print(f"table {planned.name}: {first} (and .md, .csv, .html){left}")
