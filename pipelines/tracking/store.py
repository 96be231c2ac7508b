"""The MLflow side: an address opened safely, and the runs there that mirror one results folder."""

import logging
import os
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.exc import SQLAlchemyError

from pipelines.advice import typed
from pipelines.database import bounded
from pipelines.errors import EnvironmentFault
from pipelines.locks import locked
from pipelines.masking import masked
from pipelines.tracking.limits import CALL, OPEN, Limited, within
from pipelines.tracking.new_file import file_of, make_file
from pipelines.tracking.settings import LOCK, TrackingSettings, results_id, shown
from pipelines.tracking.together import tables_of

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # a dead server is noticed within seconds; nothing is lost by giving up
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": "1",  # seconds: one kept longer would go on writing into a deleted file
}
NOTE = "mlflow.note.content"
"""The tag that MLflow's UI shows as a description."""
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


@dataclass(frozen=True)
class Store:
    """An open MLflow, seen from one results folder."""

    client: MlflowClient
    """Every call has a limit; see ``limits``."""
    results: str
    """The results folder's own id, a tag of its runs."""
    settings: TrackingSettings
    folder: Path
    """The results folder."""
    address: str = field(repr=False)
    tables: SqlAlchemyStore | None = field(repr=False, default=None)
    """The store behind the client where that is a SQLite file, whose calls can go together."""

    def experiment(self, study: str, question: str) -> "Experiment":
        """A study's experiment, made when it is missing and taken back when it was deleted."""
        name = self.settings.experiment(study)
        with locked(self.folder / LOCK):
            found: Any = self.client.get_experiment_by_name(name)
            found = found or self._created(name)
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        experiment = Experiment(self, str(found.experiment_id), found.artifact_location, found.tags)
        if NOTE not in found.tags:  # a report replaces the question by more
            experiment.tell({NOTE: question})
        return experiment

    def _created(self, name: str) -> Any:
        try:
            self.client.create_experiment(name, self.settings.artifact_root(self.folder, name))
        except MlflowException as error:  # someone with other results was quicker
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return self.client.get_experiment_by_name(name)

    def answers(self) -> bool:
        """Whether MLflow can be reached right now."""
        try:
            self.client.search_experiments(max_results=1)
        except errors():
            return False
        return True


@dataclass(frozen=True)
class Experiment:
    """A study's experiment: MLflow's id, where the files of its runs are, and its tags when it was looked up."""

    store: Store
    id: str
    files: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def tell(self, tags: Mapping[str, str]) -> None:
        """Set those tags that it has not."""
        for name, value in tags.items():
            if self.tags.get(name) != value:
                self.store.client.set_experiment_tag(self.id, name, value)

    def runs(self, row: str | None = None) -> dict[str, list[Run]]:
        """This folder's live runs by run_key, oldest first; all of them, or those of one row."""
        query = f"tags.results = '{self.store.results}'" + (f" AND tags.row = '{row}'" if row else "")
        found: dict[str, list[Run]] = defaultdict(list)
        token: str | None = None
        while True:
            page = self.store.client.search_runs([self.id], query, order_by=["start_time"], page_token=token)
            for run in page:
                found[run.data.tags["run_key"]].append(run)
            token = page.token
            if not token:
                return found


def connect(settings: TrackingSettings, results: Path, over: Callable[[], bool] = lambda: False) -> Store:
    """Open MLflow, making the schema when it is missing; EnvironmentFault when it cannot be reached.

    Creating a schema is a race between processes that all but one lose, so a lock in ``results`` lets one in at a time.
    ``over``: whether the time for talking to MLflow is over; then every call fails.
    """
    address = settings.address(results)
    identity = results_id(results)
    prepare_environment()
    try:
        _knock(address)
        with locked(results / LOCK):
            within(OPEN, make_file, address)
            client: MlflowClient = within(OPEN, _client, address)
        limited: Any = Limited(client, over)
        return Store(limited, identity, settings, results, address, tables_of(client))
    except errors() as error:
        raise unreachable(address, error, results) from None


def errors() -> tuple[type[Exception], ...]:
    """What MLflow raises when it, its server or its database does not do what was asked."""

    return (MlflowException, SQLAlchemyError, OSError)


def unreachable(address: str, error: Exception, results: Path) -> EnvironmentFault:
    """The one message for an MLflow that does not answer."""
    why = reason(error)
    if "out-of-date database schema" in why:
        return EnvironmentFault(
            f"MLflow at {shown(address)}: its database was made by another MLflow version; back it up, then run: "
            f"python -m mlflow db upgrade {shown(address)}"
        )
    way_out = "Start the server (or name another with --uri)"
    if address.startswith("sqlite") and "database is locked" in why:
        way_out = "End the other process that holds the file, or wait for it"
    if address.startswith("sqlite") and ("duplicate column name" in why or "already exists" in why):
        way_out = f"A process that was killed left {file_of(address)} with half of its tables: delete it"
    return EnvironmentFault(
        f"MLflow at {shown(address)} does not answer ({why}). Nothing is lost: all of it stands in the job folders. "
        f"{way_out}, then run: {typed('track', 'sync', '--results', results)}"
    )


def reason(error: Exception) -> str:
    """What an exception says, in one line, without passwords (MLflow repeats the address it was given) and statements."""
    return masked(" ".join(str(error).split()).partition(" [SQL: ")[0])[:300]


def prepare_environment() -> None:
    """Settings MLflow takes from the environment only: no telemetry, short waits. What is set already stays."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # tracebacks beside the error that it raises


def _client(address: str) -> MlflowClient:
    for handler in logging.getLogger("mlflow").handlers:
        handler.addFilter(_mask)
    uri = bounded(address, int(CALL))
    client = MlflowClient(
        tracking_uri=uri, registry_uri=uri
    )  # else MLFLOW_REGISTRY_URI would part models from their runs
    client.search_experiments(max_results=1)  # what is only made at the first call is made here, under this limit
    return client


def _mask(record: logging.LogRecord) -> bool:
    record.msg, record.args = masked(record.getMessage()), ()
    return True


def _knock(address: str) -> None:
    """OSError when a database's port is closed, which MLflow itself would find out only after two minutes."""
    url = urlsplit(address)
    kind = url.scheme.split("+")[0]
    if url.hostname and kind in _DATABASE_PORTS:
        socket.create_connection((url.hostname, url.port or _DATABASE_PORTS[kind]), timeout=5).close()
