"""The run that holds a study's report: its answer as the description, the page, tables and figures as files."""

from pathlib import Path

from pipelines.errors import Problem
from pipelines.files import read_json
from pipelines.spec.layout import BRIEF, FIGURES, PAGE, TABLES
from pipelines.tracking import fields
from pipelines.tracking.content import Content
from pipelines.tracking.folders import files_digest
from pipelines.tracking.marks import Mark
from pipelines.tracking.tree import StudyTree

NAME = "report"


def report_files(folder: Path) -> dict[str, Path]:
    """Name -> file of everything a report is made of; empty while there is no page."""
    if not (folder / PAGE).exists():
        return {}
    found = [folder / PAGE, *(folder / TABLES).glob("*"), *(folder / FIGURES).glob("*")]
    return {path.relative_to(folder).as_posix(): path for path in sorted(found) if path.is_file()}


def report_content(study: StudyTree) -> Content | None:
    """What its run shall say; None while there is no page."""
    files = report_files(study.folder)
    if not files:
        return None
    written = round(files[PAGE].stat().st_mtime * 1000)
    note = {"mlflow.note.content": "\n\n".join(answer_of(study))}
    return Content(
        key=NAME,
        name=NAME,
        mark=Mark.of(None, [files_digest(files)]),
        params={},
        tags=fields.tags(level="report", kind="report", **note),
        status="FINISHED",
        started=written,
        ended=written,
        files=files,
    )


def answer_of(study: StudyTree) -> list[str]:
    """The question and what the report answers; the question alone where that cannot be read."""
    try:
        brief = read_json(study.folder / BRIEF)
        return [str(brief["question"]), *map(str, brief["answers"])]
    except (Problem, KeyError, TypeError):
        return [study.question]
