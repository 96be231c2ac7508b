"""Replay: studies into MLflow: an experiment a study, a run a row of its tables, the runs of its seeds inside that."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mlflow.entities import Run

from pipelines.errors import Problem
from pipelines.locks import locked
from pipelines.masking import masked
from pipelines.tracking.content import Content
from pipelines.tracking.description import describe
from pipelines.tracking.encoder_run import encoder_content
from pipelines.tracking.models import register_best
from pipelines.tracking.report_run import NAME, report_content
from pipelines.tracking.row_run import row_content
from pipelines.tracking.search_run import trial_contents
from pipelines.tracking.sending import PARENT, delete, is_current, send
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.store import Experiment, Store, connect, errors, reason, unreachable
from pipelines.tracking.together import RolledBack, together
from pipelines.tracking.tree import StudyTree, TrackedRow

LOCKS = ".tracking"
FEW = 3
"""Up to this many rows are looked up one by one, more by reading all runs of the study at once."""
Known = Mapping[str, Sequence[Run]]


@dataclass
class ReplayOutcome:
    """What a sync did, in numbers of runs."""

    sent: int = 0
    unchanged: int = 0
    empty: int = 0
    """Encoders that nothing has been heard of yet."""
    problems: list[str] = field(default_factory=list)
    """One message a job or run that could not be sent; the others were."""


@dataclass(frozen=True)
class _Row:
    """What the runs of a row shall say; ``top`` is None while nothing has begun.

    expected  keys of all runs that belong here, those that cannot be read now included
    """

    top: Content | None
    inside: tuple[Content, ...]
    empty: int
    expected: frozenset[str]
    problems: tuple[str, ...]


def sync_studies(
    studies: Iterable[StudyTree], settings: TrackingSettings, results: Path, store: Store | None = None
) -> ReplayOutcome:
    """Bring MLflow up to date; EnvironmentFault when it cannot be reached. ``store``: one opened before."""
    outcome = ReplayOutcome()
    store = store or connect(settings, results)
    for study in studies:
        sync_study(study, store, outcome)
    return outcome


def sync_study(study: StudyTree, store: Store, outcome: ReplayOutcome, only: Collection[str] | None = None) -> None:
    """One study, or the rows of it whose keys are ``only``; ``outcome`` is added to."""
    try:
        experiment = store.experiment(study.name, study.question)
        rows = [row for row in study.rows if only is None or row.key in only]
        known = experiment.runs() if len(rows) > FEW else None
    except errors() as error:
        raise unreachable(store.address, error, store.folder) from None
    for row in rows:
        _guarded(partial(_sync_row, row, study, experiment, known, outcome), row.label, store, outcome)
    _guarded(partial(_sync_report, study, experiment, outcome), f"{study.name}: report", store, outcome)
    if only is None:
        _guarded(partial(_tidy, study, experiment), study.name, store, outcome)


def _guarded(work: Callable[[], None], what: str, store: Store, outcome: ReplayOutcome) -> None:
    """Do one part; its own trouble becomes a problem of the outcome, MLflow's an EnvironmentFault."""
    try:
        work()
    except Problem as error:
        outcome.problems.append(masked(str(error)))
    except errors() as error:
        if not store.answers():
            raise unreachable(store.address, error, store.folder) from None
        outcome.problems.append(f"{what}: {reason(error)}")


def _sync_row(
    row: TrackedRow, study: StudyTree, experiment: Experiment, known: Known | None, outcome: ReplayOutcome
) -> None:
    if known is not None and row.key in known:
        wanted = _read(row, study.main)
        if _all_current(wanted, row, known, experiment):
            _count(wanted, outcome, 0)
            return
    with locked(study.folder / LOCKS / f"{row.key}.lock"):
        wanted = _read(row, study.main)
        _count(wanted, outcome, _send_row(wanted, row, experiment))


def _read(row: TrackedRow, main: str) -> _Row:
    """The row as its folders are now."""
    contents, problems, empty = [], [], 0
    for encoder in row.encoders:
        try:
            content = encoder_content(encoder, row, main)
        except (Problem, OSError) as error:
            problems.append(masked(str(error)))
            continue
        if content:
            contents.append(content)
        else:
            empty += 1
    top, inside = None, tuple(contents)
    if contents and row.kind == "search":
        top, inside = contents[0], tuple(trial_contents(row.encoders[0], row, contents[0]))
    elif contents:
        top = row_content(row, contents)
    expected = {row.key, *(encoder.key for encoder in row.encoders), *(content.key for content in inside)}
    return _Row(top, inside, empty, frozenset(expected), tuple(problems))


def _count(wanted: _Row, outcome: ReplayOutcome, sent: int) -> None:
    outcome.sent += sent
    outcome.unchanged += (len(wanted.inside) + (wanted.top is not None)) - sent
    outcome.empty += wanted.empty
    outcome.problems += wanted.problems


def _tags(content: Content, row: str, experiment: Experiment, parent: str | None = None) -> dict[str, str]:
    """A run's place."""
    place = {"results": experiment.store.results, "run_key": content.key, "row": row}
    return place | ({PARENT: parent} if parent else {})


def _all_current(wanted: _Row, row: TrackedRow, known: Known, experiment: Experiment) -> bool:
    if wanted.top is None:
        return True
    top = known.get(wanted.top.key, ())
    if not is_current(top, wanted.top, _tags(wanted.top, row.key, experiment)):
        return False
    parent = top[0].info.run_id
    return all(
        is_current(known.get(content.key, ()), content, _tags(content, row.key, experiment, parent))
        for content in wanted.inside
    )


def _send_row(wanted: _Row, row: TrackedRow, experiment: Experiment) -> int:
    """The number of runs that were not current."""
    known = experiment.runs(row.key)
    for key in known.keys() - wanted.expected:
        for run in known[key]:
            delete(run, experiment)
    if wanted.top is None:
        return 0
    parent, sent = _send_one(wanted.top, known, experiment, _tags(wanted.top, row.key, experiment))
    for content in wanted.inside:
        sent += _send_one(content, known, experiment, _tags(content, row.key, experiment, parent))[1]
    return sent


def _send_one(content: Content, known: Known, experiment: Experiment, tags: dict[str, str]) -> tuple[str, int]:
    """The run's id, and 1 if it was not current."""
    runs = known.get(content.key, ())
    if is_current(runs, content, tags):
        return str(runs[0].info.run_id), 0
    tables = experiment.store.tables
    if tables is not None:
        with contextlib.suppress(RolledBack), together(tables):
            return send(runs, content, experiment, tags), 1
    return send(runs, content, experiment, tags), 1


def _sync_report(study: StudyTree, experiment: Experiment, outcome: ReplayOutcome) -> None:
    """The run of the report, and what the experiment says."""
    content, run = report_content(study), None
    if content is not None:
        with locked(study.folder / LOCKS / f"{NAME}.lock"):
            run, sent = _send_one(content, experiment.runs(NAME), experiment, _tags(content, NAME, experiment))
        outcome.sent += sent
        outcome.unchanged += 1 - sent
    describe(experiment, study, run)


def _tidy(study: StudyTree, experiment: Experiment) -> None:
    """Take away rows that the study no longer has, and register the best model."""
    rows, found = {row.key for row in study.rows} | {NAME}, experiment.runs()
    for runs in found.values():
        for run in runs:
            if run.data.tags.get("row") not in rows:
                delete(run, experiment)
    register_best(experiment, study, found)
