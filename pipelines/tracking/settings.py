"""Where MLflow is. Imports no MLflow."""

import uuid
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import InputError
from pipelines.files import read_json, write_json
from pipelines.locks import locked

LOCK = ".tracking.lock"
IDENTITY = ".tracking.json"


class Tracking(BaseModel):
    """Tracking settings, as they stand in workflow/config.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    uri: str | None = None
    """A server (http://HOST:PORT) or a database (sqlite:///FILE, postgresql://...); none: mlflow.db in the results."""
    experiment: str = Field(default="ssl-pipelines", min_length=1, max_length=500)

    def address(self, results: Path) -> str:
        """The URI to use; InputError when the one given is neither a server nor a database."""
        if self.uri is None:
            return f"sqlite:///{results.resolve() / 'mlflow.db'}"
        if "://" not in self.uri or self.uri.startswith("file:"):
            raise InputError(
                f"tracking uri '{self.uri}': must be a server (http://HOST:PORT) or a database "
                "(sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME); MLflow no longer writes plain folders"
            )
        return self.uri

    def artifact_root(self, results: Path) -> str | None:
        """Where a new experiment keeps its files; None leaves it to the server."""
        served = urlsplit(self.address(results)).scheme in ("http", "https")
        return None if served else str(results.resolve() / "mlartifacts")


def shown(uri: str) -> str:
    """A URI without its password, for messages."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":***@") if password else uri


def results_id(results: Path) -> str:
    """A lasting name of this results folder, made on first use.

    Runs carry it: two people's results can share a server, and neither takes the other's runs for its own.
    """
    path = results / IDENTITY
    with locked(results / LOCK):
        if not path.exists():
            write_json(path, {"id": uuid.uuid4().hex[:12]})
        return str(read_json(path)["id"])
