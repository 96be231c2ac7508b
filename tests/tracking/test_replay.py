"""Replay into a real SQLite store: no gap, nothing twice, whatever was killed, cut, deleted or run again."""

import contextlib
import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric
from tracking.job_folders import finish, folder, held, log

from pipelines.errors import EnvironmentFault
from pipelines.history import History, read
from pipelines.records import now
from pipelines.tracking import replay
from pipelines.tracking.folders import JobFolder, find_jobs
from pipelines.tracking.replay import SENDING, SENT, sync_jobs
from pipelines.tracking.settings import Tracking
from pipelines.tracking.store import Store, connect


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def store(uri: str, tmp_path: Path) -> Store:
    return connect(Tracking(uri=uri, experiment=tmp_path.name), tmp_path)


def sync(store: Store, results: Path) -> tuple[int, int, int]:
    outcome = sync_jobs(find_jobs(results), Tracking(), results, store)
    assert outcome.problems == []
    return outcome.sent, outcome.unchanged, outcome.empty


def the_run(store: Store) -> Any:
    ((run,),) = store.runs().values()
    return run


def points(path: Path, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.metrics[name]) for point in read(path / "history.jsonl")]


def same_as_folder(store: Store, path: Path) -> None:
    for name in ("train/loss", "val/knn"):
        assert held(store.client, the_run(store), name) == points(path, name)


def test_a_job_from_planned_to_finished(store: Store, tmp_path: Path) -> None:
    path = folder(tmp_path)
    assert sync(store, tmp_path) == (0, 0, 1)
    with History.open(path / "history.jsonl") as history:
        history.log(0, {"train/loss": 1.0, "val/knn": 0.5})
        assert sync(store, tmp_path) == (1, 0, 0)
        assert the_run(store).info.status == "RUNNING"
        assert sync(store, tmp_path) == (0, 1, 0)
    assert sync(store, tmp_path) == (1, 0, 0)
    assert the_run(store).info.status == "FAILED"
    log(path, *range(1, 1200))  # more than two requests' worth
    finish(path)
    assert sync(store, tmp_path) == (1, 0, 0)
    assert sync(store, tmp_path) == (0, 1, 0)
    same_as_folder(store, path)
    run = the_run(store)
    assert (run.info.status, run.info.run_name) == ("FINISHED", path.name)
    assert run.data.metrics["final/test/knn_top1"] == 0.9
    assert (run.data.params["method.temperature"], run.data.params["derived.lr"]) == ("0.2", "0.03")
    assert {"method": "moco", "dataset": "digits", "seed": "0", "stage": "pretrain"}.items() <= run.data.tags.items()
    first = read(path / "history.jsonl")[0].time
    assert store.client.get_metric_history(run.info.run_id, "train/loss")[0].timestamp == first == run.info.start_time
    assert {file.path for file in store.client.list_artifacts(run.info.run_id)} == {"record.json", "spec.json"}


def test_replaying_everything_adds_nothing(store: Store, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, *range(50))
    finish(path)
    sync(store, tmp_path)
    run = the_run(store)
    for _ in range(2):
        for tag in (SENT, SENDING):
            store.client.delete_tag(run.info.run_id, tag)
        assert sync(store, tmp_path) == (1, 0, 0)
    assert the_run(store).info.run_id == run.info.run_id
    same_as_folder(store, path)
    assert len(held(store.client, run, "final/seconds")) == 1


def test_a_half_line_is_sent_when_it_is_whole(store: Store, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    line = (path / "history.jsonl").read_bytes().splitlines(keepends=True)[1].replace(b'"step":1', b'"step":2')
    with (path / "history.jsonl").open("ab") as file:
        file.write(line[:20])
        file.flush()
        sync(store, tmp_path)
        assert [step for step, _ in held(store.client, the_run(store), "val/knn")] == [0, 1]
        file.write(line[20:])
    sync(store, tmp_path)
    assert [step for step, _ in held(store.client, the_run(store), "val/knn")] == [0, 1, 2]


def test_steps_repeated_after_a_resume_stand_once(store: Store, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, *range(30))
    sync(store, tmp_path)
    log(path, *range(20, 40), keep_steps_below=20)
    sync(store, tmp_path)
    same_as_folder(store, path)
    finish(path)
    sync(store, tmp_path)
    same_as_folder(store, path)


def test_a_job_run_anew_replaces_its_run(store: Store, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1, 2)
    finish(path)
    sync(store, tmp_path)
    shutil.rmtree(path)
    folder(tmp_path)
    log(path, 0, 1)
    finish(path, metrics={"test/knn_top1": 0.7}, derived={"lr": 0.06})
    sync(store, tmp_path)
    same_as_folder(store, path)
    assert held(store.client, the_run(store), "final/test/knn_top1") == [(0, 0.7)]
    assert the_run(store).data.params["derived.lr"] == "0.06"


class Killed(BaseException):
    """Stands for a kill -9: nothing catches it."""


def killed_after(monkeypatch: pytest.MonkeyPatch, store: Store, method: str, calls: int) -> None:
    """The process dies behind its n-th call of a client method: the server has carried it out."""
    real, count = getattr(store.client, method), iter(range(calls))

    def call(*arguments: Any, **options: Any) -> Any:
        result = real(*arguments, **options)
        if next(count, None) == calls - 1:
            raise Killed
        return result

    monkeypatch.setattr(store.client, method, call)


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize(
    ("method", "calls"), [("create_run", 1), ("log_batch", 1), ("log_batch", 2), ("log_batch", 4), ("log_dict", 1)]
)
def test_a_sync_killed_anywhere_is_completed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, calls: int, resumed: bool
) -> None:
    monkeypatch.setattr(replay, "BATCH", 30)
    path = folder(tmp_path)
    log(path, *range(60))
    finish(path)
    with monkeypatch.context() as patch:
        killed_after(patch, store, method, calls)
        with pytest.raises(Killed):
            sync(store, tmp_path)
    if resumed:  # what the dead sync sent last may be among the lines that a resume cuts off
        (path / "record.json").unlink()
        log(path, *range(3, 61), keep_steps_below=3)
        finish(path)
    sync(store, tmp_path)
    same_as_folder(store, path)
    assert len(held(store.client, the_run(store), "final/seconds")) == 1
    assert the_run(store).info.status == "FINISHED"


def sync_in_process(uri: str, experiment: str, results: Path, start: Any) -> None:
    store = connect(Tracking(uri=uri, experiment=experiment), results)
    start.wait()
    sync(store, results)


def test_two_syncs_at_once_make_one_run_a_job(store: Store, uri: str, tmp_path: Path) -> None:
    paths = [folder(tmp_path, f"job-{i}") for i in range(6)]
    for path in paths:
        log(path, *range(100))
        finish(path)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    arguments = (uri, tmp_path.name, tmp_path, start)
    workers = [context.Process(target=sync_in_process, args=arguments) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    runs = store.runs()
    assert {key: len(found) for key, found in runs.items()} == {f"job-{i}": 1 for i in range(6)}
    for path in paths:
        assert held(store.client, runs[path.name][0], "train/loss") == points(path, "train/loss")


def test_a_deleted_run_and_a_deleted_experiment_are_filled_again(store: Store, uri: str, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    finish(path)
    sync(store, tmp_path)
    store.client.delete_run(the_run(store).info.run_id)
    assert sync(store, tmp_path) == (1, 0, 0)
    same_as_folder(store, path)
    store.client.delete_experiment(store.experiment)
    again = connect(Tracking(uri=uri, experiment=tmp_path.name), tmp_path)
    sync(again, tmp_path)
    same_as_folder(again, path)


def test_a_deleted_store_is_filled_again(tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    finish(path)
    for name in ("first.db", "second.db"):  # to the folder, a store at another place is one that was deleted
        settings = Tracking(uri=f"sqlite:///{tmp_path / name}")
        assert sync_jobs(find_jobs(tmp_path), settings, tmp_path).sent == 1
        same_as_folder(connect(settings, tmp_path), path)


def test_two_results_folders_on_one_server_leave_each_other_alone(store: Store, uri: str, tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    stores = [connect(Tracking(uri=uri, experiment=tmp_path.name), results) for results in (mine, theirs)]
    for results in (mine, theirs):
        log(folder(results), 0, 1)
    for results, opened in zip((mine, theirs, mine), (*stores, stores[0]), strict=True):
        sync(opened, results)
    for results, opened in zip((mine, theirs), stores, strict=True):
        same_as_folder(opened, results / "jobs" / "pretrain" / "moco-digits-s0-0123abcd")


def test_many_jobs_are_compared_at_once_and_only_changed_ones_sent(store: Store, tmp_path: Path) -> None:
    for i in range(replay.FEW + 1):
        finish(folder(tmp_path, f"digits-{i}", "evaluate"))
    assert sync(store, tmp_path) == (replay.FEW + 1, 0, 0)
    jobs = [
        JobFolder(job.path, {"study": "late"} if job.path.name == "digits-3" else {}) for job in find_jobs(tmp_path)
    ]
    outcome = sync_jobs(jobs, Tracking(), tmp_path, store)
    assert (outcome.sent, outcome.unchanged) == (1, replay.FEW)
    assert store.runs("digits-3")["digits-3"][0].data.tags["study"] == "late"


def test_a_copied_run_with_other_points_is_not_kept_beside(store: Store, tmp_path: Path) -> None:
    path = folder(tmp_path)
    log(path, 0, 1)
    sync(store, tmp_path)
    copy = store.client.create_run(store.experiment, tags=the_run(store).data.tags)
    store.client.log_batch(copy.info.run_id, metrics=[Metric("val/knn", 5.0, 1, 1)])
    log(path, 2)
    sync(store, tmp_path)
    same_as_folder(store, path)


def test_one_damaged_job_does_not_stop_the_others(store: Store, tmp_path: Path) -> None:
    for key in ("a-1", "b-2", "c-3"):
        finish(folder(tmp_path, key))
    (tmp_path / "jobs" / "pretrain" / "b-2" / "record.json").write_text("{")
    outcome = sync_jobs(find_jobs(tmp_path), Tracking(), tmp_path, store)
    assert outcome.sent == 2
    assert len(outcome.problems) == 1
    assert "b-2" in outcome.problems[0]


def test_what_the_server_refuses_is_one_jobs_problem(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("a-1", "b-2"):
        log(folder(tmp_path, key), 0)
    monkeypatch.setattr("pipelines.tracking.fields.clean", lambda name: name.replace("val", "v@l"))
    outcome = sync_jobs(find_jobs(tmp_path), Tracking(), tmp_path, store)
    assert len(outcome.problems) == 2
    assert "v@l" in outcome.problems[0]


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
        sync_jobs(find_jobs(tmp_path), Tracking(uri=address), tmp_path)
    assert address.replace("me:secret", "***") in str(caught.value)
    assert "secret" not in str(caught.value)
