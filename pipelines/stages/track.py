"""Stage track: mirror the job folders in MLflow (init, sync, follow), and look at them (ui).

The folders hold the truth; MLflow may be down, deleted or moved, and ``track sync`` fills it again.
"""

import os
from pathlib import Path

from pipelines.errors import InputError
from pipelines.spec.load import read_yaml
from pipelines.tracking.follow import Follower
from pipelines.tracking.follow import follow as follow_jobs
from pipelines.tracking.replay import sync_studies
from pipelines.tracking.saved_views import save_views
from pipelines.tracking.server import HOST, page, server_command
from pipelines.tracking.settings import TrackingSettings, shown
from pipelines.tracking.store import connect
from pipelines.tracking.tree import Trees


def init(results: Path, uri: str | None, prefix: str) -> None:
    """Make the database."""
    store = connect(TrackingSettings(uri=uri, prefix=prefix), results)
    print(f"MLflow at {shown(store.address)} is ready")


def sync(results: Path, uri: str | None, prefix: str, study: list[str]) -> int:
    """Send everything MLflow does not hold yet; 1 when some of it could not be sent."""
    settings = TrackingSettings(uri=uri, prefix=prefix)
    trees = Trees(results)
    outcome = sync_studies(trees.read(_names(study)), settings, results)
    outcome.problems += trees.unread
    for problem in outcome.problems:
        print(f"not sent: {problem}")
    counts = f"{outcome.sent} runs sent, {outcome.unchanged} unchanged, {outcome.empty} not begun"
    print(f"MLflow at {shown(settings.address(results))}: {counts}, {len(outcome.problems)} not sent")
    return 1 if outcome.problems else 0


def follow(results: Path, uri: str | None, prefix: str, study: list[str], parent: int, every: float) -> None:
    """Sync again and again while ``parent`` lives."""
    if every <= 0:
        raise InputError(f"--every {every}: must be more than 0 seconds")
    settings = TrackingSettings(uri=uri, prefix=prefix)
    settings.address(results)
    follow_jobs(Follower(results, settings, _names(study)), parent, every)


def ui(results: Path, uri: str | None, prefix: str, study: str | None, port: int) -> None:
    """MLflow's web page, in place of this process; the addresses of the studies' pages are printed first."""
    settings = TrackingSettings(uri=uri, prefix=prefix)
    served = settings.artifact_root(results, "") is None
    command, environment = ([], {}) if served else server_command(settings, results, port)
    store = connect(settings, results)
    trees = Trees(results).read(_names([study]) if study else [])
    address = store.address if served else f"http://{HOST}:{port}"
    for tree in trees:
        experiment = store.experiment(tree.name, tree.question)
        save_views(experiment, tree.main)
        print(f"{tree.name}: {page(address, experiment.id)}")
    if served:
        print("MLflow runs already; open one of these pages")
        return
    print("open one of these pages; end with Ctrl-C", flush=True)
    os.execvpe(command[0], command, environment)


def _names(studies: list[str]) -> list[str]:
    """Study files or names -> names: what a file says, else what it is called."""
    paths = {study: Path(study) for study in studies if study.endswith((".yaml", ".yml"))}
    return [
        str(read_yaml(paths[study]).get("name", paths[study].stem)) if study in paths else study for study in studies
    ]
