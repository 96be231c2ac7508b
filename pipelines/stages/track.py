"""Stage track: mirror the job folders in MLflow (init, sync, follow), and look at them (ui).

The folders hold the truth; MLflow may be down, deleted or moved, and ``track sync`` fills it again.
"""

import os
from pathlib import Path

from pipelines.errors import InputError
from pipelines.spec.load import read_yaml
from pipelines.tracking.folders import find_jobs
from pipelines.tracking.follow import Follower
from pipelines.tracking.follow import follow as follow_jobs
from pipelines.tracking.replay import sync_jobs
from pipelines.tracking.server import HOST, page, server_command
from pipelines.tracking.settings import Tracking, shown
from pipelines.tracking.store import connect


def init(results: Path, uri: str | None, experiment: str) -> None:
    """Make database and experiment."""
    store = connect(Tracking(uri=uri, experiment=experiment), results)
    print(f"MLflow at {shown(store.address)}: experiment {experiment} is ready")


def sync(results: Path, uri: str | None, experiment: str, study: list[str], keys: list[str]) -> int:
    """Send everything MLflow does not hold yet; 1 when some of it could not be sent."""
    settings = Tracking(uri=uri, experiment=experiment)
    outcome = sync_jobs(find_jobs(results, _names(study), keys), settings, results)
    for problem in outcome.problems:
        print(f"not sent: {problem}")
    counts = f"{outcome.sent} jobs sent, {outcome.unchanged} unchanged, {outcome.empty} not begun"
    print(f"MLflow at {shown(settings.address(results))}: {counts}, {len(outcome.problems)} not sent")
    return 1 if outcome.problems else 0


def follow(results: Path, uri: str | None, experiment: str, study: list[str], parent: int, every: float) -> None:
    """Sync again and again while ``parent`` lives."""
    if every <= 0:
        raise InputError(f"--every {every}: must be more than 0 seconds")
    settings = Tracking(uri=uri, experiment=experiment)
    settings.address(results)
    follow_jobs(Follower(results, settings, _names(study)), parent, every)


def ui(results: Path, uri: str | None, experiment: str, port: int) -> None:
    """MLflow's web page, in place of this process."""
    settings = Tracking(uri=uri, experiment=experiment)
    if settings.artifact_root(results) is None:
        store = connect(settings, results)
        print(f"MLflow runs already; open {page(store.address, store.experiment)}")
        return
    command, environment = server_command(settings, results, port)
    store = connect(settings, results)
    print(f"open {page(f'http://{HOST}:{port}', store.experiment)}\nend it with Ctrl-C", flush=True)
    os.execvpe(command[0], command, environment)


def _names(studies: list[str]) -> list[str]:
    """Study files or names -> names: what a file says, else what it is called."""
    paths = {study: Path(study) for study in studies if study.endswith((".yaml", ".yml"))}
    return [
        str(read_yaml(paths[study]).get("name", paths[study].stem)) if study in paths else study for study in studies
    ]
