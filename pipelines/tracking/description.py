"""What an experiment says of its study: the question, the answer, where the report is, and the views of its runs."""

from pathlib import Path

from pipelines.spec.layout import PAGE
from pipelines.tracking.fields import LONGEST_VALUE
from pipelines.tracking.report_run import answer_of
from pipelines.tracking.saved_views import saved_views
from pipelines.tracking.store import NOTE, Experiment
from pipelines.tracking.tree import StudyTree


def describe(experiment: Experiment, study: StudyTree, report: str | None) -> None:
    """Set what is not said yet. report: the id of the run that holds the page; none while there is no page."""
    place = Path(experiment.store.folder.resolve().name, study.folder.name, PAGE)
    told = note(study, f"#/experiments/{experiment.id}/runs/{report}/artifacts/{PAGE}" if report else None, place)
    experiment.tell({NOTE: told[:LONGEST_VALUE]} | saved_views(study.main))


def note(study: StudyTree, page: str | None, place: Path) -> str:
    """The description, as Markdown; a folded one shows its first line. page: the report's address; place: its file."""
    if page is None:
        return study.question
    question, *answers = answer_of(study)
    where = f"[The report]({page}) has every table and figure; it lies in `{place.as_posix()}` too."
    return "\n\n".join([*filter(None, [" ".join(answers)]), f"The question: **{question}**", where])
