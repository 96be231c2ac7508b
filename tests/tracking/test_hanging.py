"""A server that accepts connections and never answers: noticed, named without its password, and outlived."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow.store.db.utils
import pytest
from tracking.job_folders import finish, folder, log, sync

from pipelines import history
from pipelines.errors import EnvironmentFault
from pipelines.tracking import follow as following
from pipelines.tracking import limits, store
from pipelines.tracking.follow import Follower, follow
from pipelines.tracking.limits import Limited, within
from pipelines.tracking.settings import TrackingSettings

ROOT = Path(history.__file__).parents[1]


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Its port on the loopback."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        kept: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        for connection in kept:
            connection.close()


@pytest.fixture(scope="module", autouse=True)
def few_tries() -> Iterator[None]:
    """What was given up on soon lets go of MLflow's lock, for which the tests after it would wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow.store.db.utils, "MAX_RETRY_COUNT", 1)
        yield


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALL", 2.0)
    monkeypatch.setattr(store, "OPEN", 2.0)
    store.errors()  # imports MLflow before clocks run


ADDRESSES = [
    "http://me:secret@127.0.0.1:{}",
    "http://secret@127.0.0.1:{}",
    "postgresql://me:secret@127.0.0.1:{}/mlflow",
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_silent_server_is_given_up_and_named_without_its_password(tmp_path: Path, address: str) -> None:
    finish(folder(tmp_path))
    start = time.monotonic()
    with silent_server() as port, pytest.raises(EnvironmentFault, match="does not answer") as caught:
        sync(tmp_path, TrackingSettings(uri=address.format(port)))
    assert time.monotonic() - start < 20
    assert f"***@127.0.0.1:{port}" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "no answer within 2 seconds" in str(caught.value)


@contextlib.contextmanager
def broken_server() -> Iterator[int]:
    """The port of one that answers 500 to everything."""

    class Broken(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(500, "out of order")

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def test_a_server_that_answers_500_is_told_in_one_message(tmp_path: Path) -> None:
    finish(folder(tmp_path))
    start = time.monotonic()
    with broken_server() as port, pytest.raises(EnvironmentFault, match="Nothing is lost") as caught:
        sync(tmp_path, TrackingSettings(uri=f"http://me:secret@127.0.0.1:{port}"))
    assert time.monotonic() - start < 120  # by the clock, and tests share their machine
    assert f"MLflow at http://***@127.0.0.1:{port} does not answer (" in str(caught.value)
    assert "500" in str(caught.value)
    assert "secret" not in str(caught.value)
    sync(tmp_path)


def test_a_server_has_its_own_time_for_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    finish(folder(tmp_path))
    with silent_server() as port, pytest.raises(EnvironmentFault, match="ReadTimeoutError"):
        sync(tmp_path, TrackingSettings(uri=f"http://127.0.0.1:{port}"))


def test_following_ends_soon_after_what_it_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quick: None
) -> None:
    monkeypatch.setattr(following, "LAST_SYNC", 1.0)
    monkeypatch.setattr(os, "nice", lambda more: 0)
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    finish(folder(tmp_path))
    parent = subprocess.Popen(["sleep", "3"])
    try:
        with silent_server() as port:
            start = time.monotonic()
            follow(Follower(tmp_path, TrackingSettings(uri=f"http://me:secret@127.0.0.1:{port}")), parent.pid, 0.2)
    finally:
        parent.kill()
        parent.wait()
        for number, handler in kept.items():
            signal.signal(number, handler)
    assert time.monotonic() - start < 25
    errors = capsys.readouterr().err
    assert f"MLflow at http://***@127.0.0.1:{port} does not answer" in errors
    assert "secret" not in errors


def test_neither_the_process_list_nor_the_log_of_a_follower_shows_a_password(tmp_path: Path) -> None:
    log(folder(tmp_path), 0)
    parent = subprocess.Popen(["sleep", "100"])
    command = [sys.executable, "-m", "pipelines", "track", "follow", "--results", str(tmp_path), "--every", "0.2"]
    environment = {**os.environ, "PIPELINES_TRACKING_URI": "http://me:se-cret@127.0.0.1:9"}
    follower = subprocess.Popen(
        [*command, "--parent", str(parent.pid)], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert follower.stderr is not None
        line = follower.stderr.readline()
        assert "se-cret" not in Path(f"/proc/{follower.pid}/cmdline").read_text()
    finally:
        parent.kill()
        parent.wait()
        assert follower.wait(60) == 0
    assert "MLflow at http://***@127.0.0.1:9 does not answer" in line
    assert "se-cret" not in line + follower.stderr.read()


def test_within_gives_results_errors_and_an_end() -> None:
    assert within(5, max, 1, 2) == 2
    with pytest.raises(ZeroDivisionError):
        within(5, divmod, 1, 0)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.1 seconds"):
        within(0.1, time.sleep, 5)
    assert time.monotonic() - start < 2


def test_nothing_is_asked_when_the_time_is_over() -> None:
    assert Limited([1, 2]).index(2) == 1
    with pytest.raises(TimeoutError, match="time for the last sync is over"):
        Limited([1, 2], over=lambda: True).index(2)
