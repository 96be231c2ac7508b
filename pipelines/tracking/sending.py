"""One run of MLflow brought to what its content says, as often as one likes, with no gap and nothing twice.

A run carries two hidden tags. ``sending`` says, before anything is sent, up to where this sync will go; ``sent`` says,
in the same request as the last metrics, how far the run has got. So a run and its mark live and die together: a deleted
run, database or server is simply filled again. Points keep their original time, and MLflow takes an identical point
only once, so what an interrupted sync sent already does no harm. When the folders no longer hold what a mark stands
for (a resume cut the history back, or a job was run anew), the run is deleted and written afresh.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from pipelines.history import read_from
from pipelines.tracking import fields
from pipelines.tracking.content import Content, Final, TrackedDataSet
from pipelines.tracking.encoder_run import NAMES
from pipelines.tracking.files import send_files
from pipelines.tracking.marks import Mark
from pipelines.tracking.models import MODEL, forget_model, model_of
from pipelines.tracking.store import Experiment
from pipelines.tracking.thinning import is_sent

SENT, SENDING = "mlflow.replay.sent", "mlflow.replay.sending"
"""MLflow's UI hides tags of this prefix."""
PARENT = "mlflow.parentRunId"
METRICS, OTHERS = 800, 90
"""Metrics, and params or tags, a request: MLflow takes a thousand and a hundred."""


def is_current(runs: Sequence[Run], content: Content, tags: dict[str, str]) -> bool:
    """Whether the one run there is says all that ``content`` says; ``tags``: those of the run's place in the study."""
    if len(runs) != 1:
        return False
    wanted = content.tags | tags | {SENT: str(content.mark)}
    return runs[0].info.status == content.status and wanted.items() <= runs[0].data.tags.items()


def send(runs: Sequence[Run], content: Content, experiment: Experiment, tags: dict[str, str]) -> str:
    """Send what is missing into the oldest of ``runs`` that says nothing else, or into a new one; the run's id."""
    client = experiment.store.client
    old = _usable(runs, content, experiment)
    run = old or _create(content, experiment, tags)
    if run.data.tags.get(SENDING) != str(content.mark):
        client.set_tag(run.info.run_id, SENDING, str(content.mark))
    model = model_of(content, experiment, run, is_new=old is None)
    _send_datasets(run, content, experiment)
    if run.data.tags.get(SENT) != str(content.mark):
        send_files(experiment, run, content.files)  # before the mark, which says that all is there
    _send_batches(run, content, experiment, tags, model)
    _set_status(run, content, experiment)
    return str(run.info.run_id)


def delete(run: Run, experiment: Experiment) -> None:
    """Take a run away, and the model that came of it."""
    forget_model(experiment, run)
    experiment.store.client.delete_run(run.info.run_id)


def _usable(runs: Sequence[Run], content: Content, experiment: Experiment) -> Run | None:
    good = [run for run in runs if _agrees(run, content)]
    for run in runs:
        if run is not (good[0] if good else None):
            delete(run, experiment)
    return good[0] if good else None


def _agrees(run: Run, content: Content) -> bool:
    """Whether nothing that the run says has become untrue. A metric cannot be taken back, so other names are another run."""
    if run.data.tags.get(NAMES) != content.tags.get(NAMES):
        return False
    marks = [Mark.parse(run.data.tags[name]) for name in (SENT, SENDING) if name in run.data.tags]
    params = run.data.params.items()
    return all(content.holds(mark) for mark in marks) and all(
        content.params.get(name) == value for name, value in params
    )


def _create(content: Content, experiment: Experiment, tags: dict[str, str]) -> Run:
    wanted = content.tags | tags | {SENDING: str(content.mark)}
    create = experiment.store.client.create_run
    return create(experiment.id, start_time=content.started, tags=wanted, run_name=content.name)


def _send_datasets(run: Run, content: Content, experiment: Experiment) -> None:
    """Those that the run lacks."""
    known = {(each.dataset.name, each.dataset.digest) for each in (run.inputs.dataset_inputs if run.inputs else ())}
    lacking = [_as_input(each) for each in content.datasets if (each.name, each.digest) not in known]
    if lacking:
        experiment.store.client.log_inputs(run.info.run_id, datasets=lacking)


def _as_input(dataset: TrackedDataSet) -> DatasetInput:
    source = json.dumps({"uri": dataset.source})
    given = Dataset(dataset.name, dataset.digest, "local", source, profile=dataset.profile)
    return DatasetInput(given, [InputTag("mlflow.data.context", dataset.context)])


def _send_batches(run: Run, content: Content, experiment: Experiment, given: dict[str, str], model: str | None) -> None:
    """Params, tags and metrics that the run lacks, in as few requests as can be; the new mark goes with the last."""
    client, run_id = experiment.store.client, run.info.run_id
    wanted = content.tags | given | ({MODEL: model} if model else {})
    params = [Param(*item) for item in content.params.items() if item[0] not in run.data.params]
    tags = [RunTag(*item) for item in wanted.items() if item not in run.data.tags.items()]
    while len(params) > OTHERS or len(tags) > OTHERS:
        client.log_batch(run_id, params=params[:OTHERS], tags=tags[:OTHERS])
        params, tags = params[OTHERS:], tags[OTHERS:]
    sent, batch = Mark.parse(run.data.tags.get(SENT, str(Mark()))), list[Metric]()
    for metric in itertools.chain.from_iterable(_metrics(content, sent, run_id, model)):
        if len(batch) == METRICS:
            client.log_batch(run_id, metrics=batch)
            batch = []
        batch.append(metric)
    client.log_batch(run_id, batch, params, [*tags, RunTag(SENT, str(content.mark))])


def _metrics(content: Content, sent: Mark, run: str, model: str | None) -> Iterator[list[Metric]]:
    """The thinned points of the history from ``sent`` to the content's mark, then the numbers of records not yet sent."""
    yield from _curves(content, sent)
    for final in content.finals:
        if not sent.has(final.digest):
            yield list(_numbers(final, run, model))


def _curves(content: Content, sent: Mark) -> Iterator[list[Metric]]:
    """The lines before ``sent`` are only counted, so that what is sent does not depend on when it was synced."""
    if content.history is None:
        return
    readings: Counter[str] = Counter()
    for point, end in read_from(content.history):
        if end > content.mark.size:
            break
        if end > sent.size:
            yield [
                Metric(fields.clean(name), fields.metric_value(value), point.time, point.step)
                for name, value in point.metrics.items()
                if is_sent(readings[name])
            ]
        readings.update(point.metrics.keys())


def _numbers(final: Final, run: str, model: str | None) -> Iterator[Metric]:
    """Linked to the model that they judge and to the data set they were measured on."""
    on = {"dataset_name": final.dataset.name, "dataset_digest": final.dataset.digest} if final.dataset else {}
    of = {"model_id": model, "run_id": run} if model else {}
    for name, value in final.metrics.items():
        yield Metric(name, value, final.time, 0, **on, **of)


def _set_status(run: Run, content: Content, experiment: Experiment) -> None:
    client = experiment.store.client
    if content.status in ("FINISHED", "FAILED"):
        client.set_terminated(run.info.run_id, content.status, max(content.ended, run.info.start_time))
    elif run.info.status != content.status:
        client.update_run(run.info.run_id, status=content.status)
