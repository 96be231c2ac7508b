"""A model in MLflow gives the encoder back, says what it takes, and is there once whenever a sync dies."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.models import Model
from safetensors.torch import load_file
from study_tools import Made
from tracking.job_folders import STUDY, finish, folder, level, opened, sync

from pipelines.building.methods import Pretrained
from pipelines.encoders.base import Encoder
from pipelines.tracking.models import LOADS_WITH, WEIGHTS
from pipelines.tracking.signature import FLAVOUR
from pipelines.tracking.store import Experiment

SMALL = """
question: q
dataset: {use: digits, limit: 100, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: simclr}]
seeds: [0]
training: {batch_size: 50, epochs: 1, precision: float32}
evaluation: [{use: knn, k: 3}]
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Made.of(SMALL, tmp_path_factory.mktemp("models"))
    made.run(made.one("pretrain", "simclr"))
    assert sync(made.results).problems == []
    return made.results


@pytest.fixture
def model(results: Path) -> LoggedModel:
    client = opened(results).store.client
    experiment = next(each for each in client.search_experiments() if each.name != "Default" and each.name != STUDY)
    return client.search_logged_models([experiment.experiment_id])[0]


def test_the_line_in_a_models_tags_gives_the_encoder_back(
    results: Path, model: LoggedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(results.parent)
    encoder = eval(model.tags[LOADS_WITH], {"Pretrained": Pretrained, "Path": Path})
    assert isinstance(encoder, Encoder)
    saved = load_file(results / model.tags[WEIGHTS])
    assert all(torch.equal(saved[name], value) for name, value in encoder.state_dict().items())


def test_the_example_fits_the_signature_and_the_encoder(
    results: Path, model: LoggedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = results / "mlartifacts" / model.artifact_location.removeprefix("mlflow-artifacts:/")
    described = Model.load(place)
    assert described.signature.inputs.inputs[0].shape == (-1, 3, 16, 16)
    assert described.flavors[FLAVOUR][WEIGHTS] == model.tags[WEIGHTS]
    example = np.asarray(described.load_input_example(str(place)))
    monkeypatch.chdir(results.parent)
    encoder = eval(model.tags[LOADS_WITH], {"Pretrained": Pretrained, "Path": Path}).eval()
    with torch.no_grad():
        assert encoder(torch.from_numpy(example)).shape == (1, encoder.width)


class Killed(BaseException):
    """The process is gone."""


def killed_behind(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The process dies behind the first call of a client method, which the store has carried out."""
    real = getattr(MlflowClient, method)

    def call(*arguments: object, **options: object) -> object:
        real(*arguments, **options)
        raise Killed

    monkeypatch.setattr(MlflowClient, method, call)


def finished(results: Path) -> Path:
    path = folder(results)
    (path / "encoder.safetensors").write_bytes(b"weights")
    finish(path, artifacts={"encoder": "encoder.safetensors"})
    return path


def models_of(experiment: Experiment) -> list[LoggedModel]:
    return list(experiment.store.client.search_logged_models([experiment.id]))


@pytest.mark.parametrize("method", ["create_logged_model", "log_outputs", "finalize_logged_model"])
@pytest.mark.parametrize("run_anew", [False, True])
def test_the_model_of_a_sync_that_died_is_found_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, run_anew: bool
) -> None:
    path = finished(tmp_path)
    with monkeypatch.context() as patch:
        killed_behind(patch, method)
        with pytest.raises(Killed):
            sync(tmp_path)
    if run_anew:  # so that the run of the dead sync says what is true no more
        finish(path, artifacts={"encoder": "encoder.safetensors"}, metrics={"final/train/loss": 1.0})
    assert sync(tmp_path).problems == []
    experiment = opened(tmp_path)
    run = level(experiment, "seed")[path.name]
    (model,) = models_of(experiment)
    assert (model.source_run_id, model.status.name) == (run.info.run_id, "READY")
    assert [each.model_id for each in run.outputs.model_outputs] == [model.model_id]
