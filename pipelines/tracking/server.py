"""A local MLflow server and the address of the page to look at."""

import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.errors import InputError
from pipelines.spec.layout import mlflow_artifacts
from pipelines.tracking.saved_views import BEST
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.store import prepare_environment

HOST = "127.0.0.1"


def page(server: str, experiment: str) -> str:
    """The rows of an experiment side by side as charts, each the mean over its seeds, by the view that is saved there."""
    where = urlsplit(server)  # without credentials: the page asks for them itself
    server = f"{where.scheme}://{where.netloc.rpartition('@')[2]}{where.path.rstrip('/')}"
    query = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={BEST}"
    return f"{server}/#/experiments/{experiment}/runs?{query}"


def server_command(settings: TrackingSettings, results: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """The command line and environment of a server on the local loopback, one worker, without the job runner.

    The address goes by the environment, since it may hold a password. InputError when the port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise InputError(f"port {port} is taken; choose another with: track ui --port {port + 1}") from None
    prepare_environment()
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": settings.address(results),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", HOST, "--port", str(port)]
    return [*command, "--artifacts-destination", str(mlflow_artifacts(results.resolve()))], environment
