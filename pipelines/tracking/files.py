"""Files of runs: into the results' own folder of MLflow's files where no server keeps them, else through the server."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import Run

from pipelines.files import replacing
from pipelines.spec.layout import mlflow_artifacts
from pipelines.tracking.settings import ARTIFACTS
from pipelines.tracking.store import Experiment


def send_files(experiment: Experiment, run: Run, files: Mapping[str, Path]) -> None:
    """Copy ``files`` (name -> file) to where MLflow looks for those of a run; what is there already is replaced."""
    here = own_folder(experiment, run.info.artifact_uri)
    for name, path in files.items():
        if here is None:
            folder = Path(name).parent.as_posix()
            experiment.store.client.log_artifact(run.info.run_id, str(path), None if folder == "." else folder)
        else:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            with replacing(here / name, durable=False) as part:
                shutil.copyfile(path, part)


def own_folder(experiment: Experiment, location: str | None) -> Path | None:
    """The folder in the results of what MLflow says lies at ``location``; None where a server keeps it."""
    served = experiment.store.address.startswith(("http://", "https://"))
    if served or not location or not location.startswith(ARTIFACTS):
        return None
    return mlflow_artifacts(experiment.store.folder) / location.removeprefix(ARTIFACTS).lstrip("/")
