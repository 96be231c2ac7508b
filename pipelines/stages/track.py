"""Stage track: mirror the job folders in MLflow (init, sync, follow), and look at them (ui).

The folders hold the truth; MLflow may be down, deleted or moved, and ``track sync`` fills it again.
"""

import argparse
import os
from pathlib import Path


def main(argv: list[str]) -> int:
    """Run one of the four commands."""
    arguments = _parser().parse_args(argv)
    result: int = arguments.run(arguments)
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines track", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--results", type=Path, default=Path("results"), help="results folder (default: results)")
    common.add_argument("--uri", help="MLflow server or database (default: sqlite, mlflow.db in the results folder)")
    common.add_argument("--experiment", default="ssl-pipelines", help="name of the MLflow experiment")
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument(
        "--study", nargs="+", default=[], metavar="STUDY", help="only jobs of these: study files or names"
    )
    init = commands.add_parser(
        "init", parents=[common], help="make database and experiment, before anything runs at once"
    )
    init.set_defaults(run=_init)
    sync = commands.add_parser("sync", parents=[common, chosen], help="send everything MLflow does not hold yet")
    sync.add_argument("--keys", nargs="+", default=[], metavar="KEY", help="only these jobs")
    sync.set_defaults(run=_sync)
    follow = commands.add_parser("follow", parents=[common, chosen], help="sync again and again while a process lives")
    follow.add_argument("--parent", type=int, required=True, metavar="PID", help="the process to outlive by one sync")
    follow.add_argument("--every", type=float, default=15.0, metavar="SECONDS", help="time between syncs (default: 15)")
    follow.set_defaults(run=_follow)
    ui = commands.add_parser("ui", parents=[common], help="start MLflow's web page on this machine")
    ui.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1 (default: 5000)")
    ui.set_defaults(run=_ui)
    return parser


def _init(arguments: argparse.Namespace) -> int:
    from pipelines.tracking.settings import Tracking, shown
    from pipelines.tracking.store import connect

    store = connect(Tracking(uri=arguments.uri, experiment=arguments.experiment), arguments.results)
    print(f"MLflow at {shown(store.address)}: experiment {arguments.experiment} is ready")
    return 0


def _sync(arguments: argparse.Namespace) -> int:
    from pipelines.tracking.folders import find_jobs
    from pipelines.tracking.replay import sync_jobs
    from pipelines.tracking.settings import Tracking, shown

    settings = Tracking(uri=arguments.uri, experiment=arguments.experiment)
    jobs = find_jobs(arguments.results, _names(arguments.study), arguments.keys)
    outcome = sync_jobs(jobs, settings, arguments.results)
    for problem in outcome.problems:
        print(f"not sent: {problem}")
    counts = f"{outcome.sent} jobs sent, {outcome.unchanged} unchanged, {outcome.empty} not begun"
    print(f"MLflow at {shown(settings.address(arguments.results))}: {counts}, {len(outcome.problems)} not sent")
    return 1 if outcome.problems else 0


def _follow(arguments: argparse.Namespace) -> int:
    from pipelines.errors import InputError
    from pipelines.tracking.follow import Follower, follow
    from pipelines.tracking.settings import Tracking

    if arguments.every <= 0:
        raise InputError(f"--every {arguments.every}: must be more than 0 seconds")
    settings = Tracking(uri=arguments.uri, experiment=arguments.experiment)
    settings.address(arguments.results)
    follow(Follower(arguments.results, settings, _names(arguments.study)), arguments.parent, arguments.every)
    return 0


def _ui(arguments: argparse.Namespace) -> int:
    from pipelines.tracking.server import HOST, page, server_command
    from pipelines.tracking.settings import Tracking
    from pipelines.tracking.store import connect

    settings = Tracking(uri=arguments.uri, experiment=arguments.experiment)
    if settings.artifact_root(arguments.results) is None:
        store = connect(settings, arguments.results)
        print(f"MLflow runs already; open {page(store.address, store.experiment)}")
        return 0
    command, environment = server_command(settings, arguments.results, arguments.port)
    store = connect(settings, arguments.results)
    print(f"open {page(f'http://{HOST}:{arguments.port}', store.experiment)}\nend it with Ctrl-C", flush=True)
    os.execvpe(command[0], command, environment)


def _names(studies: list[str]) -> list[str]:
    """Study files or names -> names: what a file says, else what it is called."""
    from pipelines.spec.load import read_yaml

    paths = {study: Path(study) for study in studies if study.endswith((".yaml", ".yml"))}
    return [
        str(read_yaml(paths[study]).get("name", paths[study].stem)) if study in paths else study for study in studies
    ]
