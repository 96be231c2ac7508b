"""Where MLflow is. Imports no MLflow."""

import os
import re
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import InputError
from pipelines.files import read_json, write_json
from pipelines.locks import locked
from pipelines.masking import masked
from pipelines.spec.layout import mlflow_database

VARIABLE = "PIPELINES_TRACKING_URI"
"""Environment variable with the address, where none is given: a list of processes shows command lines to everybody."""
LOCK = ".tracking.lock"
IDENTITY = ".tracking.json"
ARTIFACTS = "mlflow-artifacts:"
"""What MLflow calls a folder that its server knows: ``track ui`` serves mlartifacts in the results."""


class TrackingSettings(BaseModel):
    """Tracking settings, as they stand in workflow/config.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    uri: str | None = Field(default=None, repr=False)
    """A server (http://HOST:PORT) or a database (sqlite:///FILE, postgresql://...); none: that of the environment
    variable, else mlflow.db in the results."""
    prefix: str = Field(default="", max_length=200)
    """Before the names of experiments, which are those of the studies; people who share a server need different ones."""

    def address(self, results: Path) -> str:
        """The URI to use; InputError when the one given is neither a server nor a database."""
        uri = self.uri or os.environ.get(VARIABLE)
        if not uri:
            return f"sqlite:///{mlflow_database(results.resolve())}"
        if "://" not in uri or uri.startswith("file:"):
            raise InputError(
                f"tracking uri '{shown(uri)}': must be a server (http://HOST:PORT) or a database "
                "(sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME); MLflow no longer writes plain folders"
            )
        return uri

    def experiment(self, study: str) -> str:
        """The name of a study's experiment."""
        return f"{self.prefix}{study}"

    def artifact_root(self, results: Path, experiment: str) -> str | None:
        """Where a new experiment's files are: in the results, wherever these are moved; None leaves it to the server."""
        served = urlsplit(self.address(results)).scheme in ("http", "https")
        return None if served else f"{ARTIFACTS}/{re.sub('[^A-Za-z0-9_-]+', '-', experiment)}"


def shown(uri: str) -> str:
    """A URI without passwords and tokens, for messages."""
    return masked(uri)


def results_id(results: Path) -> str:
    """A lasting name of this results folder, made on first use.

    Runs carry it: two people's results can share a server, and neither takes the other's runs for its own.
    """
    path = results / IDENTITY
    with locked(results / LOCK):
        if not path.exists():
            write_json(path, {"id": uuid.uuid4().hex[:12]})
        return str(read_json(path)["id"])
