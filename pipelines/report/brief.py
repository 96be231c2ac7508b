"""A study in brief: what the terminal prints at the end of a run, and what the index over all studies lists."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from pipelines.files import write_text
from pipelines.report.study import Results
from pipelines.report.verdicts import Told
from pipelines.spec.base import Model
from pipelines.spec.layout import BRIEF


class Brief(Model):
    """All its numbers stand on the study's page, too."""

    study: str
    question: str
    answers: tuple[str, ...]
    """At most three short lines."""
    verdicts: dict[str, int]
    """Verdict -> how many of the study's claims have it."""
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    done: int
    planned: int
    seconds: float
    """Time in jobs, summed."""
    finished: str | None
    """When the last job ended, UTC."""

    @property
    def text(self) -> str:
        """A few lines for a terminal."""
        return "\n".join([self.question, *self.answers])


def brief_of(results: Results, answers: Sequence[str], told: Sequence[Told]) -> Brief:
    """The brief of a study whose answers and verdicts have been found."""
    records = [result.record for result in results.all if result.record]
    trained = [result for result in results.all if result.stage == "pretrain"]
    return Brief(
        study=results.study,
        question=results.question,
        answers=tuple(answers),
        verdicts=dict(Counter(each.decision for each in told)),
        methods=tuple(dict.fromkeys(result.label for result in trained)),
        datasets=tuple(dict.fromkeys(result.dataset for result in results.all)),
        done=len(records),
        planned=len(results.all),
        seconds=sum(record.seconds for record in records),
        finished=max((record.finished for record in records), default=None),
    )


def save(brief: Brief, folder: Path) -> None:
    """Beside the study's page."""
    write_text(folder / BRIEF, brief.model_dump_json(indent=1) + "\n")


def read_briefs(results: Path) -> list[Brief]:
    """Those of all studies in a results folder, by name; what is no brief (a cut file) is left out until it is made anew."""
    found = []
    for path in sorted(results.glob(f"*/{BRIEF}")):
        try:
            found.append(Brief.model_validate_json(path.read_text(encoding="utf-8")))
        except (ValidationError, UnicodeDecodeError):
            continue
    return found
