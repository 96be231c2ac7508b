"""Models: MLflow's own record of every finished encoder, with the metrics that judge it, and the best one of a study.

The weights stay in the job's folder, which the model names: a copy in MLflow would double what a study takes on disk.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipelines.tracking.content import Content, TrackedImages
from pipelines.tracking.fields import LONGEST_VALUE, clean
from pipelines.tracking.files import own_folder
from pipelines.tracking.signature import describe
from pipelines.tracking.store import Experiment
from pipelines.tracking.tree import StudyTree

MODEL = "mlflow.replay.model"
"""The hidden tag of a run that names its model."""
WEIGHTS = "weights"
"""The tag of a model with the path of its weights in the results folder."""
LOADS_WITH, EXPORTS_WITH = "loads_with", "exports_with"
"""The tags of a model with the call that gives the encoder back, and the command that writes them for timm and torchvision."""
BEST = "best"


def model_of(content: Content, experiment: Experiment, run: Run, is_new: bool) -> str | None:
    """The id of the model of a run, made when it is missing; None while there are no weights."""
    if content.weights is None:
        return None
    if MODEL in run.data.tags:
        return str(run.data.tags[MODEL])
    client = experiment.store.client
    found = [] if is_new else _unnamed(experiment, run)
    model: LoggedModel = found[0] if found else _create(content, experiment, run)
    if content.images:
        _describe(content.images, experiment, model)
    linked = run.outputs.model_outputs if run.outputs else ()
    if model.model_id not in {each.model_id for each in linked}:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 0)])
    if model.status != LoggedModelStatus.READY:
        client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    return str(model.model_id)


def forget_model(experiment: Experiment, run: Run) -> None:
    """Take the models of a run away, one that an interrupted sync left without its name in the run included."""
    named = run.data.tags.get(MODEL)
    for model in [named] if named else [each.model_id for each in _unnamed(experiment, run)]:
        try:
            experiment.store.client.delete_logged_model(model)
        except MlflowException as error:  # somebody took it away before
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise


def _unnamed(experiment: Experiment, run: Run) -> Sequence[LoggedModel]:
    """Models of a run that has no tag of one: a sync died between the two."""
    query = f"source_run_id = '{run.info.run_id}'"
    found: Sequence[LoggedModel] = experiment.store.client.search_logged_models([experiment.id], query)
    return found


def _describe(images: TrackedImages, experiment: Experiment, model: LoggedModel) -> None:
    """Signature and input example, into the results' own folder or through the server."""
    weights = {name: model.tags[name] for name in (WEIGHTS, LOADS_WITH)}
    if here := own_folder(experiment, model.artifact_location):
        describe(here, model, images, weights)
        return
    with tempfile.TemporaryDirectory() as folder:
        describe(Path(folder), model, images, weights)
        experiment.store.client.log_model_artifacts(model.model_id, folder)


def register_best(experiment: Experiment, study: StudyTree, runs: Mapping[str, Sequence[Run]]) -> None:
    """Let the alias ``best`` in the registry name the first seed of the method that leads, once all methods are done."""
    methods = [row for row in study.rows if row.kind == "method"]
    tops = [runs[row.key][0] for row in methods if row.key in runs]
    if not methods or len(tops) < len(methods) or any(top.info.status != "FINISHED" for top in tops):
        return
    first = max(range(len(methods)), key=lambda i: tops[i].data.metrics.get(study.main, -1.0))
    seed = runs.get(methods[first].encoders[0].key, ())
    if seed and MODEL in seed[0].data.tags:
        told = _told(study, methods[first].label, tops[first].data.metrics.get(study.main))
        _register(experiment, clean(experiment.store.settings.experiment(study.name)), seed[0].data.tags[MODEL], told)


def _told(study: StudyTree, label: str, mean: float | None) -> str:
    """What the registry says of a study's models."""
    reached = "" if mean is None else f", the highest mean of {study.main} over the seeds ({mean:.4f})"
    return (
        f"{study.question}\n\nThe alias `{BEST}` is the first seed of {label}{reached}. "
        "Methods that saw labels are not considered. It was chosen on the test images, so its number is no estimate of "
        "how good it will be elsewhere. "
        f"The tag `{LOADS_WITH}` of the model says how its weights are read."
    )[:LONGEST_VALUE]


def _register(experiment: Experiment, name: str, model: str, told: str) -> None:
    client, name = experiment.store.client, name.replace("/", "-").replace(":", "-")
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    if client.get_registered_model(name).description != told:
        client.update_registered_model(name, told)
    versions = {version.source: version for version in client.search_model_versions(f"name = '{name}'")}
    logged = client.get_logged_model(model)
    version = versions.get(logged.artifact_location) or _version(client, name, logged)  # MLflow forgets the model's id
    client.set_registered_model_alias(name, BEST, version.version)


def _version(client: MlflowClient, name: str, model: LoggedModel) -> ModelVersion:
    """Named by its folder and run: of an address ``models:/ID`` MLflow would ask the server of its global settings."""
    return client.create_model_version(
        name, model.artifact_location, run_id=model.source_run_id, model_id=model.model_id
    )


def _create(content: Content, experiment: Experiment, run: Run) -> LoggedModel:
    assert content.weights is not None
    weights = content.weights.relative_to(experiment.store.folder)
    folder = experiment.store.folder.resolve().name
    found: LoggedModel = experiment.store.client.create_logged_model(
        experiment.id,
        name=_model_name(content.name),
        source_run_id=run.info.run_id,
        tags={
            "results": experiment.store.results,
            "run_key": content.key,
            WEIGHTS: weights.as_posix(),
            LOADS_WITH: f'Pretrained.left(Path("{folder}/{weights.parent.as_posix()}")).method().encoder',
            EXPORTS_WITH: f"python -m pipelines export {folder}/{weights.parent.as_posix()} --to FOLDER",
            **{name: content.tags[name] for name in ("method", "kind", "dataset", "seed") if name in content.tags},
        },
        params={name: value for name, value in content.params.items() if name.startswith(("encoder.", "method.use"))},
        model_type="encoder",
    )
    return found


def _model_name(name: str) -> str:
    """A name without the signs that MLflow keeps for addresses of models."""
    return "".join("_" if sign in "/:.%\"'" else sign for sign in name)
