"""Stage paper: put the declared tables of studies, and their reports' figures, into results/paper/paper.tex and .pdf."""

from pathlib import Path

from pipelines.advice import typed
from pipelines.errors import InputError
from pipelines.report.paper import ENGINES, Chapter, document, not_run, write_document
from pipelines.spec.begun import begun
from pipelines.spec.layout import figures_folder, paper_file, table_file
from pipelines.spec.plan import plan_file


def run(studies: list[Path], results: Path) -> None:
    """Write the document and print where it is. InputError where a table has not been written, or none is declared.

    Tables of which no row has been run are named in one sentence.
    """
    chapters = [chapter for path in studies if (chapter := _chapter(path, results)).tables or chapter.not_run]
    if not chapters:
        raise InputError(
            f"{', '.join(map(str, studies))}: no table is declared; add a list under tables (docs/tables.md)"
        )
    file = paper_file(results)
    made = write_document(document(chapters, file.parent), file)
    if left_out := not_run(chapters):
        print(left_out)
    print(f"paper: {file}")
    if made:
        print(f"paper: {made}")
    else:
        print(
            f"no PDF: there is no {' or '.join(ENGINES)} on the PATH; install one (Debian: texlive-latex-recommended and "
            f"texlive-science) and run this again, or compile {file} elsewhere, with the results folder beside it"
        )


def _chapter(path: Path, results: Path) -> Chapter:
    made = plan_file(path)
    name, shown = made.study.name, begun(made, results)
    tables = [table_file(results, name, table.name) for table in shown]
    for file in tables:
        if not file.exists():
            raise InputError(f"{file}: no such file; write it with: {typed('tables', path, '--results', results)}")
    not_run = [table.name for table in made.tables if table not in shown]
    figures = sorted(figures_folder(results, name).glob("*.pdf")) if tables else []
    return Chapter(name, made.study.question, tables, figures, str(path), not_run)
