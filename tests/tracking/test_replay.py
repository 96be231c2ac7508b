"""Replay into a real SQLite store: no gap, nothing twice, whatever was killed, cut, deleted or run again."""

import contextlib
import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric
from tracking import job_folders
from tracking.job_folders import KEY, QUESTION, STUDY, evaluated, finish, folder, held, level, log

from pipelines.errors import EnvironmentFault
from pipelines.files import read_json, write_json
from pipelines.history import History, read
from pipelines.records import now
from pipelines.tracking import fields, replay, sending
from pipelines.tracking.sending import SENDING, SENT
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.store import Experiment, connect


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


def experiment_of(results: Path, uri: str) -> Experiment:
    """Of a prefix of its own, since all tests share one store."""
    return connect(TrackingSettings(uri=uri, prefix=f"{results.name}/"), results).experiment(STUDY, QUESTION)


@pytest.fixture
def mlflow(uri: str, tmp_path: Path) -> Experiment:
    return experiment_of(tmp_path, uri)


def sync(mlflow: Experiment, results: Path) -> tuple[int, int, int]:
    outcome = job_folders.sync(results, mlflow.store.settings, mlflow.store)
    assert outcome.problems == []
    return outcome.sent, outcome.unchanged, outcome.empty


def the_run(mlflow: Experiment) -> Any:
    (run,) = level(mlflow, "seed").values()
    return run


def points(path: Path, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.metrics[name]) for point in read(path / "history.jsonl")]


def same_as_folder(mlflow: Experiment, path: Path) -> None:
    for name in ("train/loss", "val/knn"):
        assert held(mlflow, the_run(mlflow), name) == points(path, name)


def test_a_job_from_planned_to_finished(mlflow: Experiment, tmp_path: Path) -> None:
    path = folder(tmp_path)
    assert sync(mlflow, tmp_path) == (0, 0, 1)
    with History.open(path / "history.jsonl") as history:
        history.log(0, {"train/loss": 1.0, "val/knn": 0.5})
        assert sync(mlflow, tmp_path) == (2, 0, 0)
        assert the_run(mlflow).info.status == "RUNNING"
        assert sync(mlflow, tmp_path) == (0, 2, 0)
    assert sync(mlflow, tmp_path) == (2, 0, 0)
    assert the_run(mlflow).info.status == "FAILED"
    log(path, *range(1, 1200))  # more than two requests' worth
    finish(path)
    assert sync(mlflow, tmp_path) == (2, 0, 0)
    assert sync(mlflow, tmp_path) == (0, 2, 0)
    same_as_folder(mlflow, path)
    run = the_run(mlflow)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "moco, seed 0")
    assert run.data.metrics["pretraining/test/top1"] == 0.9
    assert (run.data.params["method.temperature"], run.data.params["derived.lr"]) == ("0.2", "0.03")
    assert {"method": "moco", "dataset": "digits", "seed": "0", "level": "seed"}.items() <= run.data.tags.items()
    first = read(path / "history.jsonl")[0].time
    assert (
        mlflow.store.client.get_metric_history(run.info.run_id, "train/loss")[0].timestamp
        == first
        == run.info.start_time
    )
    files = (tmp_path / "mlartifacts").glob(f"*/{run.info.run_id}/artifacts/*")
    assert {file.name for file in files} == {"record.json", "spec.json", "history.jsonl"}


def test_replaying_everything_adds_nothing(mlflow: Experiment, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, *range(50))
    finish(path)
    sync(mlflow, tmp_path)
    run = the_run(mlflow)
    for _ in range(2):
        for tag in (SENT, SENDING):
            mlflow.store.client.delete_tag(run.info.run_id, tag)
        assert sync(mlflow, tmp_path) == (1, 1, 0)
    assert the_run(mlflow).info.run_id == run.info.run_id
    same_as_folder(mlflow, path)
    assert len(held(mlflow, run, "pretraining/seconds")) == 1


def test_a_run_whose_sync_breaks_off_is_not_there_at_all(
    mlflow: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its calls are one transaction of the SQLite file."""
    log(folder(tmp_path), *range(5))

    def broken(*_: object) -> None:
        raise OSError("the process ends here")

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_set_status", broken)
        outcome = job_folders.sync(tmp_path, mlflow.store.settings, mlflow.store)
    assert outcome.problems == ["moco: the process ends here"]
    assert mlflow.runs() == {}
    assert sync(mlflow, tmp_path) == (2, 0, 0)
    same_as_folder(mlflow, tmp_path / "jobs" / "pretrain" / KEY)


def test_a_half_line_is_sent_when_it_is_whole(mlflow: Experiment, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    line = (path / "history.jsonl").read_bytes().splitlines(keepends=True)[1].replace(b'"step":1', b'"step":2')
    with (path / "history.jsonl").open("ab") as file:
        file.write(line[:20])
        file.flush()
        sync(mlflow, tmp_path)
        assert [step for step, _ in held(mlflow, the_run(mlflow), "val/knn")] == [0, 1]
        file.write(line[20:])
    sync(mlflow, tmp_path)
    assert [step for step, _ in held(mlflow, the_run(mlflow), "val/knn")] == [0, 1, 2]


def test_steps_repeated_after_a_resume_stand_once(mlflow: Experiment, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, *range(30))
    sync(mlflow, tmp_path)
    log(path, *range(20, 40), keep_steps_below=20)
    sync(mlflow, tmp_path)
    same_as_folder(mlflow, path)
    finish(path)
    sync(mlflow, tmp_path)
    same_as_folder(mlflow, path)


def test_a_job_run_anew_replaces_its_run(mlflow: Experiment, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1, 2)
    finish(path)
    sync(mlflow, tmp_path)
    shutil.rmtree(path)
    folder(tmp_path)
    log(path, 0, 1)
    finish(path, metrics={"test/top1": 0.7}, derived={"lr": 0.06})
    sync(mlflow, tmp_path)
    same_as_folder(mlflow, path)
    assert held(mlflow, the_run(mlflow), "pretraining/test/top1") == [(0, 0.7)]
    assert the_run(mlflow).data.params["derived.lr"] == "0.06"


class Killed(BaseException):
    """Stands for a kill -9: nothing catches it."""


def killed_after(monkeypatch: pytest.MonkeyPatch, mlflow: Experiment, method: str, calls: int) -> None:
    """The process dies behind its n-th call of a client method: the server has carried it out."""
    real, count = getattr(mlflow.store.client, method), iter(range(calls))

    def call(*arguments: Any, **options: Any) -> Any:
        result = real(*arguments, **options)
        if next(count, None) == calls - 1:
            raise Killed
        return result

    monkeypatch.setattr(mlflow.store.client, method, call)


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize(
    ("method", "calls"),
    [("create_run", 1), ("log_batch", 1), ("log_batch", 2), ("log_batch", 5), ("log_batch", 6), ("set_terminated", 1)],
)
def test_a_sync_killed_anywhere_is_completed(
    mlflow: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, calls: int, resumed: bool
) -> None:
    monkeypatch.setattr(sending, "METRICS", 30)
    path = folder(tmp_path)
    log(path, *range(60))
    finish(path)
    with monkeypatch.context() as patch:
        killed_after(patch, mlflow, method, calls)
        with pytest.raises(Killed):
            sync(mlflow, tmp_path)
    if resumed:  # what the dead sync sent last may be among the lines that a resume cuts off
        (path / "record.json").unlink()
        log(path, *range(3, 61), keep_steps_below=3)
        finish(path)
    sync(mlflow, tmp_path)
    same_as_folder(mlflow, path)
    assert len(held(mlflow, the_run(mlflow), "pretraining/seconds")) == 1
    assert the_run(mlflow).info.status == "FINISHED"
    files = (tmp_path / "mlartifacts").glob(f"*/{the_run(mlflow).info.run_id}/artifacts/*")
    assert {file.name for file in files} == {"record.json", "spec.json", "history.jsonl"}


def sync_in_process(uri: str, results: Path, start: Any) -> None:
    mlflow = experiment_of(results, uri)
    start.wait()
    sync(mlflow, results)


def test_two_syncs_at_once_make_one_run_of_everything(mlflow: Experiment, uri: str, tmp_path: Path) -> None:
    paths = [folder(tmp_path, f"job-{i}", label=f"arm {i % 2}", seed=i // 2) for i in range(6)]
    for path in paths:
        log(path, *range(100))
        finish(path)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    workers = [context.Process(target=sync_in_process, args=(uri, tmp_path, start)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    seeds, rows = level(mlflow, "seed"), level(mlflow, "row")
    assert seeds.keys() == {path.name for path in paths}
    assert sorted(run.data.tags["method"] for run in rows.values()) == ["arm 0", "arm 1"]
    for path in paths:
        assert held(mlflow, seeds[path.name], "train/loss") == points(path, "train/loss")


def test_a_deleted_run_and_a_deleted_experiment_are_filled_again(mlflow: Experiment, uri: str, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    finish(path)
    sync(mlflow, tmp_path)
    mlflow.store.client.delete_run(the_run(mlflow).info.run_id)
    assert sync(mlflow, tmp_path) == (1, 1, 0)
    same_as_folder(mlflow, path)
    (row,) = level(mlflow, "row").values()
    mlflow.store.client.delete_run(row.info.run_id)
    assert sync(mlflow, tmp_path) == (2, 0, 0)
    (row,) = level(mlflow, "row").values()
    assert the_run(mlflow).data.tags[sending.PARENT] == row.info.run_id
    mlflow.store.client.delete_experiment(mlflow.id)
    again = experiment_of(tmp_path, uri)
    sync(again, tmp_path)
    same_as_folder(again, path)


def test_a_deleted_store_is_filled_again(tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    finish(path)
    for name in ("first.db", "second.db"):  # to the folder, a store at another place is one that was deleted
        mlflow = experiment_of(tmp_path, f"sqlite:///{tmp_path / name}")
        assert sync(mlflow, tmp_path) == (2, 0, 0)
        same_as_folder(mlflow, path)


def test_two_results_folders_on_one_server_leave_each_other_alone(uri: str, tmp_path: Path) -> None:
    settings = TrackingSettings(uri=uri, prefix=f"{tmp_path.name}/")
    opened = {name: connect(settings, tmp_path / name).experiment(STUDY, QUESTION) for name in ("mine", "theirs")}
    assert len({mlflow.id for mlflow in opened.values()}) == 1
    for i, name in enumerate(opened):
        log(folder(tmp_path / name), *range(i + 2))
    for name in ("mine", "theirs", "mine"):
        sync(opened[name], tmp_path / name)
    for name, mlflow in opened.items():
        same_as_folder(mlflow, tmp_path / name / "jobs" / "pretrain" / KEY)


def test_many_rows_are_compared_at_once_and_only_changed_ones_sent(mlflow: Experiment, tmp_path: Path) -> None:
    rows = replay.FEW + 1
    for i in range(rows):
        finish(folder(tmp_path, f"digits-{i}", label=f"arm {i}"))
    later = evaluated(tmp_path, "digits-0", label="arm 0")
    assert sync(mlflow, tmp_path) == (2 * rows, 0, 0)
    finish(later)
    assert sync(mlflow, tmp_path) == (2, 2 * rows - 2, 0)
    assert level(mlflow, "seed")["digits-0"].data.metrics["knn20/top1"] == 0.9


def test_a_row_that_the_study_gave_up_goes_and_what_is_left_stays(mlflow: Experiment, tmp_path: Path) -> None:
    for label in ("kept", "dropped"):
        finish(folder(tmp_path, f"{label}-1", label=label))
    sync(mlflow, tmp_path)
    plan = tmp_path / STUDY / "plan.json"
    given = read_json(plan)
    write_json(plan, {**given, "jobs": [job for job in given["jobs"] if job["label"] == "kept"]})
    assert sync(mlflow, tmp_path) == (0, 2, 0)
    assert level(mlflow, "seed").keys() == {"kept-1"}
    assert len(level(mlflow, "row")) == 1


def test_a_copied_run_with_other_points_is_not_kept_beside(mlflow: Experiment, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    sync(mlflow, tmp_path)
    copy = mlflow.store.client.create_run(mlflow.id, tags=the_run(mlflow).data.tags)
    mlflow.store.client.log_batch(copy.info.run_id, metrics=[Metric("val/knn", 5.0, 1, 1)])
    log(path, 2)
    sync(mlflow, tmp_path)
    same_as_folder(mlflow, path)


def test_one_damaged_job_does_not_stop_the_others(mlflow: Experiment, tmp_path: Path) -> None:
    for i, key in enumerate(("a-1", "b-2", "c-3")):
        finish(folder(tmp_path, key, seed=i))
    (tmp_path / "jobs" / "pretrain" / "b-2" / "record.json").write_text("{")
    outcome = job_folders.sync(tmp_path, mlflow.store.settings, mlflow.store)
    assert level(mlflow, "seed").keys() == {"a-1", "c-3"}
    (problem,) = outcome.problems
    assert "b-2" in problem


def test_what_the_server_refuses_is_one_rows_problem(
    mlflow: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(folder(tmp_path, "a-1", label="a"), 0)
    finish(folder(tmp_path, "b-2", label="b"))
    monkeypatch.setattr(fields, "clean", lambda name: name.replace("val/", "v@l"))
    (problem,) = job_folders.sync(tmp_path, mlflow.store.settings, mlflow.store).problems
    assert "v@l" in problem
    assert level(mlflow, "seed")["b-2"].info.status == "FINISHED"


@contextlib.contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    def files() -> dict[Path, bytes]:
        return {
            path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
        }

    before = files()
    yield
    assert files() == before


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "postgresql://me:secret@127.0.0.1:9/mlflow", "damaged"])
def test_an_unreachable_mlflow_is_one_message_and_costs_nothing(tmp_path: Path, address: str) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    finish(path, started=now())
    if address == "damaged":
        (tmp_path / "damaged.db").write_text("no database" * 100)
        address = f"sqlite:///{tmp_path}/damaged.db"
    with unchanged(tmp_path), pytest.raises(EnvironmentFault, match="Nothing is lost") as caught:
        job_folders.sync(tmp_path, TrackingSettings(uri=address))
    assert address.replace("me:secret", "***") in str(caught.value)
    assert "secret" not in str(caught.value)
