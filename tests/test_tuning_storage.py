"""Trials in PostgreSQL: the same as in the journal, each once, also when the server restarts in the middle."""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError

from pipelines.errors import BadResult, EnvironmentFault, InputError
from pipelines.spec.tuning import Range
from pipelines.tuning import storage, study
from pipelines.tuning.search import OptunaStudy
from pipelines.tuning.study import close, opened, run_slot
from pipelines.tuning.work import work
from tests.postgres_tools import PASSWORD, Server, server

ROOT = Path(storage.__file__).parents[2]
TRIALS = 12


def search(folder: Path, database: str | None, **changes: Any) -> OptunaStudy:
    return OptunaStudy(
        **{
            "name": "study",
            "journal": folder / "journal.log",
            "space": {"temperature": Range(low=0.05, high=0.5, log=True)},
            "trials": TRIALS,
            "sampler": "tpe",
            "seed": 0,
            "prune_below": 0.25,
            "finalists": 2,
            "repeats": 1,
            "default": {"temperature": 0.2},
            "floor": 0.1,
            "database": database,
            **changes,
        }
    )


def objective(ran: Path, pause: float = 0.0) -> Callable[[object], Callable[..., float]]:
    def run(slot: int, values: dict[str, float], report: Callable[[int, float], None]) -> float:
        with ran.open("a") as file:
            file.write(f"{slot}\n")
        time.sleep(pause)
        if slot == 1:
            raise BadResult("slot 1: the loss is nan")
        value = 1 / (1 + abs(values["temperature"] - 0.2)) + slot / 1000
        report(1, value)
        time.sleep(pause)
        return value

    return lambda lease: run


def one_worker(folder: Path, database: str | None) -> list[dict[str, Any]]:
    folder.mkdir()
    made = search(folder, database)
    with opened(made):
        work(made, 0, objective(folder / "ran"), lambda: False)
        return comparable(close(made))


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("number", "seconds")} for row in rows]


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server() as made:
        yield made


def workers(folder: Path, address: str, count: int) -> list[subprocess.Popen[str]]:
    folder.mkdir()
    environment = {**os.environ, storage.VARIABLE: address, "PYTHONPATH": str(ROOT)}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.test_tuning_storage", str(folder), str(worker)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for worker in range(count)
    ]


def ended(jobs: list[subprocess.Popen[str]]) -> str:
    try:
        said = [job.communicate(timeout=150)[0] for job in jobs]
    finally:
        for job in jobs:
            job.kill()
    assert [job.returncode for job in jobs] == [0] * len(jobs), said
    return "".join(said)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("count", "restarted"), [(16, False), (8, True)], ids=["16 workers", "8 and a restart"])
def test_workers_on_a_server_run_each_trial_once_and_the_trials_are_those_of_the_journal(
    tmp_path: Path, running: Server, count: int, restarted: bool
) -> None:
    expected = one_worker(tmp_path / "journal", None)
    address = running.database(f"tuning_{restarted}".lower())
    folder = tmp_path / "database"
    jobs = workers(folder, address, count)
    if restarted:
        end = time.monotonic() + 100
        while not (folder / "ran").exists() and time.monotonic() < end:
            time.sleep(0.05)
        running.stop()
        time.sleep(1.5)
        running.start()
    said = ended(jobs)
    assert PASSWORD not in said
    assert ("waiting for the database" in said) or not restarted, said
    made = search(folder, address)
    assert comparable(close(made)) == expected
    ran = sorted(int(line) for line in (folder / "ran").read_text().split())
    assert ran == list(range(len(expected)))
    assert not made.journal.exists()
    assert not [path for path in folder.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


def test_two_folders_do_not_share_a_study_and_a_deleted_one_starts_anew(tmp_path: Path, running: Server) -> None:
    address, values = running.database("folders"), []
    for name, value in (("a", 0.3), ("b", 0.4)):
        (tmp_path / name).mkdir()
        made = search(tmp_path / name, address, trials=1, repeats=0)
        run_slot(made, 0, lambda slot, chosen, report, value=value: value)
        values.append(close(made)[0]["value"])
    assert values == [0.3, 0.4]
    (tmp_path / "a" / storage.IDENTITY).unlink()
    made = search(tmp_path / "a", address, trials=1, repeats=0)
    run_slot(made, 0, lambda slot, chosen, report: 0.5)
    assert close(made)[0]["value"] == 0.5


def test_a_server_that_never_answers_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(storage, "PATIENCE", 0.5)
    monkeypatch.setattr(storage, "LOOK", 0.1)
    made = search(tmp_path, f"postgresql://me:{PASSWORD}@127.0.0.1:9/tuning")
    with pytest.raises(EnvironmentFault, match=r"does not answer.*finished trials are kept") as caught:
        run_slot(made, 0, lambda slot, values, report: 0.5)
    assert PASSWORD not in str(caught.value) + capsys.readouterr().err + repr(made)


@pytest.mark.parametrize("failures", [3, 9])
def test_a_worker_waits_a_minute_for_a_server_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """Every try takes twelve seconds here, as a connection on a busy machine does."""
    clock, tries = itertools.count(0, 12), itertools.count(1)

    def connect(made: OptunaStudy) -> None:
        if next(tries) <= failures:
            raise StorageInternalError("connection timeout expired")

    monkeypatch.setattr(storage.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(storage.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(study, "_study", connect)
    made = search(tmp_path, f"postgresql://me:{PASSWORD}@h/db")
    gives_up = pytest.raises(EnvironmentFault, match="timeout expired") if failures == 9 else contextlib.nullcontext()
    with gives_up, opened(made):
        assert next(tries) == failures + 2


def test_a_worker_that_is_asked_to_end_waits_for_no_server(
    tmp_path: Path, running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "LOOK", 0.1)
    made, asked = search(tmp_path, running.database("ending"), trials=1, repeats=0), []

    def run(slot: int, values: dict[str, float], report: Callable[[int, float], None]) -> float:
        running.stop()
        asked.append(time.monotonic())
        report(1, 0.5)
        return 0.5

    try:
        with pytest.raises(EnvironmentFault, match="does not answer"):
            run_slot(made, 0, run, stop=lambda: bool(asked))
    finally:
        running.start()
    assert time.monotonic() - asked[0] < storage.PATIENCE / 10
    run_slot(made, 0, lambda slot, values, report: 0.25)
    assert close(made)[0]["value"] == 0.25


@pytest.mark.parametrize("given", [f"me:{PASSWORD}@h/db", f"http://{PASSWORD}@h", f"mysql://me:{PASSWORD}@h/db"])
def test_an_address_of_another_kind_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(storage.VARIABLE, given)
    with pytest.raises(InputError, match="must be postgresql://") as caught:
        storage.address()
    assert PASSWORD not in str(caught.value)


def test_without_an_address_there_is_a_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(storage.VARIABLE, "")
    assert storage.address() is None


def main() -> None:
    """One worker of the test's search."""
    folder, worker = Path(sys.argv[1]), int(sys.argv[2])
    made = search(folder, storage.address())
    with opened(made):
        print(json.dumps(work(made, worker, objective(folder / "ran", 0.3), lambda: False)))


if __name__ == "__main__":
    main()
