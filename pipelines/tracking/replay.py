"""Replay: job folders into MLflow runs, as often as one likes, with no gap and nothing twice.

A run carries two hidden tags. ``sending`` says, before anything is sent, up to where this sync will go; ``sent`` says,
in the same request as the last metrics, how far the run has got. So a run and its mark live and die together: a deleted
run, database or server is simply filled again. Points keep their original time, and MLflow takes an identical point
only once, so what an interrupted sync sent already does no harm. When the folder no longer holds what a mark stands
for (a resume cut the history back, or the job was run anew), the run is deleted and written afresh.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlflow.entities import Metric, Param, Run, RunTag

from pipelines.errors import Problem
from pipelines.history import read_from
from pipelines.locks import locked
from pipelines.masking import masked
from pipelines.tracking import fields
from pipelines.tracking.folders import Contents, JobFolder, Mark
from pipelines.tracking.settings import Tracking
from pipelines.tracking.store import Store, connect, errors, reason, unreachable
from pipelines.tracking.thinning import is_sent

LOCK = ".mlflow.lock"
SENT, SENDING = "mlflow.replay.sent", "mlflow.replay.sending"
"""MLflow's UI hides tags of this prefix."""
BATCH = 900
"""Metrics a request: a thousand entries are the limit, tags included."""
FEW = 20
"""Up to this many jobs are looked up one by one, more by reading all runs at once."""


@dataclass
class Outcome:
    """What a sync did, in numbers of jobs."""

    sent: int = 0
    unchanged: int = 0
    empty: int = 0
    """Planned, but without any line or record yet."""
    problems: list[str] = field(default_factory=list)
    """One message a job that could not be sent; the others were."""


def sync_jobs(jobs: Iterable[JobFolder], settings: Tracking, results: Path, store: Store | None = None) -> Outcome:
    """Bring MLflow up to date with ``jobs``; EnvironmentFault when it cannot be reached. ``store``: one opened before."""
    outcome, waiting = Outcome(), []
    for job in jobs:
        try:
            contents = Contents.read(job.path)
        except (Problem, OSError) as error:
            outcome.problems.append(masked(str(error)))
            continue
        if contents.empty:
            outcome.empty += 1
        else:
            waiting.append((job, contents))
    if not waiting:
        return outcome
    store = store or connect(settings, results)
    try:
        known = store.runs() if len(waiting) > FEW else {}
    except errors() as error:
        raise unreachable(store.address, error) from None
    for job, contents in waiting:
        runs = known.get(contents.key, [])
        if len(runs) == 1 and _is_current(runs[0], contents, store, job.tags):
            outcome.unchanged += 1
        else:
            _try(job, store, outcome)
    return outcome


def _try(job: JobFolder, store: Store, outcome: Outcome) -> None:
    """Send one job; its own trouble becomes a problem of the outcome, MLflow's an EnvironmentFault."""
    try:
        with locked(job.path / LOCK):
            sent = _send(job, store)
    except Problem as error:
        outcome.problems.append(masked(str(error)))
    except errors() as error:
        if not store.answers():
            raise unreachable(store.address, error) from None
        outcome.problems.append(f"{job.path}: {reason(error)}")
    else:
        outcome.sent += sent
        outcome.unchanged += not sent


def _send(job: JobFolder, store: Store) -> bool:
    """Read folder and run afresh, under the folder's lock, and send the difference; whether there was any."""
    contents = Contents.read(job.path)
    run = _usable(store.runs(contents.key).get(contents.key, []), contents, store)
    if run and _is_current(run, contents, store, job.tags):
        return False
    run = run or _create(contents, store, job.tags)
    if run.data.tags.get(SENDING) != str(contents.mark):
        store.client.set_tag(run.info.run_id, SENDING, str(contents.mark))
    _send_fields(run, contents, store, job.tags)
    _send_metrics(run, contents, store)
    _set_status(run, contents, store)
    return True


def _usable(runs: list["Run"], contents: Contents, store: Store) -> "Run | None":
    """The oldest run that says nothing but what the folder says; the others are deleted."""
    good = [run for run in runs if _agrees(run, contents)]
    for run in runs:
        if run is not (good[0] if good else None):
            store.client.delete_run(run.info.run_id)
    return good[0] if good else None


def _agrees(run: "Run", contents: Contents) -> bool:
    marks = [Mark.parse(run.data.tags[name]) for name in (SENT, SENDING) if name in run.data.tags]
    wanted = fields.params(contents)
    return all(contents.holds(mark) for mark in marks) and all(
        wanted.get(name, value) == value for name, value in run.data.params.items()
    )


def _is_current(run: "Run", contents: Contents, store: Store, given: dict[str, str]) -> bool:
    wanted = _tags(contents, store, given) | {SENT: str(contents.mark)}
    return run.info.status == contents.status and wanted.items() <= run.data.tags.items()


def _tags(contents: Contents, store: Store, given: dict[str, str]) -> dict[str, str]:
    return fields.tags(contents, given) | {"results": store.results}


def _create(contents: Contents, store: Store, given: dict[str, str]) -> "Run":
    record = contents.record
    start = fields.milliseconds(record.started) if record else next(read_from(contents.history))[0].time
    tags = _tags(contents, store, given) | {SENDING: str(contents.mark)}
    return store.client.create_run(store.experiment, start_time=start, tags=tags, run_name=contents.key)


def _send_fields(run: "Run", contents: Contents, store: Store, given: dict[str, str]) -> None:
    """Params and tags the run lacks; with a record, the record and the spec as files."""

    params = [Param(*item) for item in fields.params(contents).items() if item[0] not in run.data.params]
    tags = [RunTag(*item) for item in _tags(contents, store, given).items() - run.data.tags.items()]
    store.client.log_batch(run.info.run_id, params=params, tags=tags)
    if contents.record:
        store.client.log_dict(run.info.run_id, contents.record.model_dump(mode="json"), "record.json")
        store.client.log_dict(run.info.run_id, contents.spec, "spec.json")


def _send_metrics(run: "Run", contents: Contents, store: Store) -> None:
    """All metrics behind the run's mark, in batches; the new mark goes with the last of each."""

    sent = Mark.parse(run.data.tags.get(SENT, "0::"))
    batch: list[Metric] = []
    for metrics in _metrics(contents, sent):
        for metric in metrics:
            if len(batch) == BATCH:
                store.client.log_batch(run.info.run_id, metrics=batch)
                batch = []
            batch.append(metric)
    store.client.log_batch(run.info.run_id, metrics=batch, tags=[RunTag(SENT, str(contents.mark))])


def _metrics(contents: Contents, sent: Mark) -> Iterator[list["Metric"]]:
    """The thinned points of the history from ``sent`` to the contents' mark, then the record's final numbers.

    The lines before ``sent`` are only counted, so that what is sent does not depend on when it was synced.
    """
    readings: Counter[str] = Counter()
    for point, end in read_from(contents.history):
        if end > contents.mark.size:
            break
        if end > sent.size:
            yield [
                Metric(fields.clean(name), fields.metric_value(value), point.time, point.step)
                for name, value in point.metrics.items()
                if is_sent(readings[name])
            ]
        readings.update(point.metrics.keys())
    if contents.record:
        time = fields.milliseconds(contents.record.finished)
        yield [Metric(name, value, time, 0) for name, value in fields.final_metrics(contents.record).items()]


def _set_status(run: "Run", contents: Contents, store: Store) -> None:
    if contents.status == "RUNNING":
        if run.info.status != "RUNNING":
            store.client.update_run(run.info.run_id, status="RUNNING")
    else:
        last = contents.record and fields.milliseconds(contents.record.finished)
        end = last or int(contents.history.stat().st_mtime * 1000)
        store.client.set_terminated(run.info.run_id, contents.status, max(end, run.info.start_time))
