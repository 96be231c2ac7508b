"""The track commands as a person or the controller starts them, with a server that is killed in mid-run."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
from tracking.job_folders import KEY, finish, folder, held, level, log, opened

from pipelines import history
from pipelines.__main__ import main
from pipelines.history import read
from pipelines.tracking.saved_views import BEST, TAG
from pipelines.tracking.sending import SENDING, SENT
from pipelines.tracking.server import page, server_command
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.store import Experiment
from pipelines.tracking.thinning import is_sent

Track = Callable[..., tuple[int, str, str]]
ROOT = Path(history.__file__).parents[1]


def command(*arguments: Any) -> list[str]:
    return [sys.executable, "-m", "pipelines", "track", *map(str, arguments)]


@pytest.fixture
def track(capsys: pytest.CaptureFixture[str]) -> Track:
    """Run a command in this process (importing MLflow takes seconds): exit status, output, errors."""

    def run(*arguments: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["track", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def the_run(mlflow: Experiment) -> Any:
    return level(mlflow, "seed")[KEY]


def is_current(mlflow: Experiment, path: Path) -> None:
    expected = [(point.step, point.metrics["a"]) for point in read(path / "history.jsonl")]
    assert [step for step, _ in expected] == list(range(len(expected)))
    sent = [point for number, point in enumerate(expected) if is_sent(number)]
    assert held(mlflow, the_run(mlflow), "a") == sent


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom pipelines.cli import main\n"
        "try: main(['track', 'sync', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'mlflow', 'pandas', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_sync_reports_and_fails_with_one_line_when_mlflow_is_down(tmp_path: Path, track: Track) -> None:
    finish(folder(tmp_path))
    status, _, errors = track("sync", "--results", tmp_path, "--uri", "http://127.0.0.1:9")
    assert status == 1
    assert errors.count("\n") == 1
    assert "http://127.0.0.1:9 does not answer" in errors
    status, output, _ = track("sync", "--results", tmp_path)
    assert status == 0
    assert "2 runs sent, 0 unchanged" in output
    (tmp_path / "jobs" / "pretrain" / "moco-digits-s0-0123abcd" / "record.json").write_text("{")
    status, output, _ = track("sync", "--results", tmp_path)
    assert status == 1
    assert "record.json: not valid JSON" in output
    assert not (ROOT / "mlruns").exists()


def test_first_uses_at_once_make_one_store(tmp_path: Path) -> None:
    line = command("init", "--results", tmp_path)
    starts = [subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(3)]
    for start in starts:
        _, errors = start.communicate(timeout=100)
        assert start.returncode == 0, errors
    assert opened(tmp_path).runs() == {}


def test_follow_syncs_while_its_parent_lives_and_once_more(tmp_path: Path) -> None:
    path = folder(tmp_path)
    parent = subprocess.Popen(["sleep", "100"])
    options = ("--results", tmp_path, "--parent", parent.pid, "--every", 0.3)
    follower = subprocess.Popen(command("follow", *options), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        (tmp_path / "mlflow.db").write_text("no database" * 100)
        log(path, 0, 1)
        assert follower.stderr is not None
        assert "does not answer" in follower.stderr.readline()
        (tmp_path / "mlflow.db").unlink()
        assert "filled again" in follower.stderr.readline()
        follower.send_signal(signal.SIGINT)  # Ctrl-C is the parent's business
        log(path, 2, 3)
        finish(path)
    finally:
        parent.kill()
        parent.wait()
        assert follower.wait(60) == 0
    mlflow = opened(tmp_path)
    assert [step for step, _ in held(mlflow, the_run(mlflow), "train/loss")] == [0, 1, 2, 3]
    assert the_run(mlflow).info.status == "FINISHED"


@contextmanager
def server(results: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    line, environment = server_command(TrackingSettings(), results, port)
    with (results / "server.log").open("ab") as out:
        process = subprocess.Popen(line, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        until(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, (results / "server.log").read_text()
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its own session: the server and its worker
        process.wait()


def answers(port: int) -> bool:
    try:
        urlopen(f"http://127.0.0.1:{port}/version", timeout=2).close()
    except OSError:
        return False
    return True


def listening(pid: int) -> set[str]:
    """The addresses at which a process and all below it can be reached."""
    whole = psutil.Process(pid)
    found = [each for one in (whole, *whole.children(recursive=True)) for each in one.net_connections("inet")]
    return {each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN}


def test_a_follower_that_is_killed_is_followed_by_a_sync_that_adds_nothing_twice(tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, *range(200))
    line = command("follow", "--results", tmp_path, "--parent", os.getpid(), "--every", 0.2)
    for pause in (0.0, 3.0, 4.0):  # while it makes the tables, while it imports, and while it sends
        follower = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.DEVNULL)
        until(lambda: any(tmp_path.glob("*mlflow.db*")))  # or the one that is being made
        time.sleep(pause)
        follower.kill()
        follower.wait()
    finish(path)
    assert subprocess.run(command("sync", "--results", tmp_path), cwd=ROOT, timeout=100).returncode == 0
    mlflow = opened(tmp_path)
    assert [step for step, _ in held(mlflow, the_run(mlflow), "train/loss")] == list(range(200))
    assert the_run(mlflow).info.status == "FINISHED"


TRAINING = """
import pathlib, sys, time
from pipelines.history import History
with History.open(pathlib.Path(sys.argv[1]), int(sys.argv[2])) as log:
    for step in range(int(sys.argv[2]), int(sys.argv[3])):
        log.log(step, {"a": step * 0.1, "b": 1.0})
        time.sleep(0.002)
"""


def train(path: Path, first: int, last: int) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-c", TRAINING, str(path / "history.jsonl"), str(first), str(last)]
    return subprocess.Popen(line, cwd=ROOT)


@pytest.mark.slow
def test_server_and_training_killed_in_mid_run(tmp_path: Path, track: Track) -> None:
    path, port = folder(tmp_path), free_port()
    options = ("--results", tmp_path, "--uri", f"http://127.0.0.1:{port}")
    settings = TrackingSettings(uri=f"http://127.0.0.1:{port}")
    training = train(path, 0, 100_000)
    try:
        with server(tmp_path, port) as process:
            assert listening(process.pid) == {"127.0.0.1"}
            assert track("sync", *options)[0] == 0
            follower = subprocess.Popen(
                command("follow", *options, "--parent", training.pid, "--every", 0.2), cwd=ROOT, stderr=subprocess.PIPE
            )
            mlflow = opened(tmp_path, settings)
            before = len(held(mlflow, the_run(mlflow), "a"))
            until(lambda: len(held(mlflow, the_run(mlflow), "a")) > before)
        status, _, errors = track("sync", *options)  # the server is gone, the training goes on
        assert status == 1
        assert "Nothing is lost" in errors
        assert training.poll() is None
    finally:
        training.kill()
        training.wait()
        assert follower.wait(60) == 0
    checkpoint = len(read(path / "history.jsonl")) - 25
    assert train(path, checkpoint, checkpoint + 60).wait() == 0
    finish(path)
    with server(tmp_path, port):
        assert track("sync", *options)[0] == 0
        is_current(mlflow, path)
        for _ in range(2):
            for tag in (SENT, SENDING):
                mlflow.store.client.delete_tag(the_run(mlflow).info.run_id, tag)
            assert "1 runs sent" in track("sync", *options)[1]
            is_current(mlflow, path)
        assert the_run(mlflow).info.status == "FINISHED"
        mlflow.store.client.delete_experiment_tag(mlflow.id, f"{TAG}{BEST}")  # as in a database of before
        assert page(f"http://127.0.0.1:{port}", mlflow.id) in track("ui", *options)[1]
        assert f"{TAG}{BEST}" in opened(tmp_path, settings).tags
        address = f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow/artifacts/list?run_id={the_run(mlflow).info.run_id}"
        with urlopen(address, timeout=10) as reply:
            assert {file["path"] for file in json.load(reply)["files"]} == {"record.json", "spec.json", "history.jsonl"}


def test_the_page_opened_before_any_sync_finds_the_whole_database(
    tmp_path: Path, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's server would make the file itself, in steps that a kill leaves half done."""
    there: list[bool] = []

    def server_started(*_: object) -> None:
        there.append((tmp_path / "mlflow.db").exists())

    monkeypatch.setattr(os, "execvpe", server_started)
    assert track("ui", "--results", tmp_path, "--port", free_port())[0] == 0
    assert there == [True]
    assert opened(tmp_path).runs() == {}


def test_a_taken_port_is_named(tmp_path: Path, track: Track) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, _, errors = track("ui", "--results", tmp_path, "--port", port)
    assert status == 1
    assert f"port {port} is taken" in errors
