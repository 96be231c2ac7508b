"""A study's tree as MLflow shows it: means over seeds, models that can be searched, data sets, trials and the report."""

import json
import shutil
import statistics
from pathlib import Path

import pytest
import safetensors.torch
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from tracking.job_folders import (
    KNN,
    QUESTION,
    SPEC,
    STUDY,
    evaluated,
    finish,
    folder,
    judged_by,
    level,
    opened,
    planned,
    sync,
)

from pipelines.files import write_json
from pipelines.tracking.models import BEST, EXPORTS_WITH, WEIGHTS
from pipelines.tracking.row_run import SPREAD
from pipelines.tracking.saved_views import CREATED, TAG
from pipelines.tracking.sending import PARENT
from pipelines.tracking.server import page
from pipelines.tracking.settings import TrackingSettings
from pipelines.tracking.store import NOTE

ACCURACIES = {"moco": (0.7, 0.8), "simclr": (0.9, 0.85)}
LINEAR = {"use": "linear", "epochs": 3}
MAIN = "answer/linear top1"


def study(results: Path) -> None:
    """Two methods with two seeds, evaluated by two protocols and on another data set; all finished."""
    for name in ("digits", "mnist_5k"):
        planned(results, "shards", f"{name}-1", name, {}, {"dataset": {"use": name, "limit": None}})
        finish(results / "jobs" / "shards" / f"{name}-1", metrics={"data/train": 90, "data/test": 10})
    for label, accuracies in ACCURACIES.items():
        for seed, accuracy in enumerate(accuracies):
            path = folder(results, f"{label}-{seed}", label=label, seed=seed)
            (path / "encoder.safetensors").write_bytes(safetensors.torch.save({"w": torch.tensor([accuracy])}))
            (path / "views.png").write_bytes(b"picture")
            finish(path, artifacts={"encoder": "encoder.safetensors", "views": "views.png"}, metrics={})
            metrics = {"test/top1": accuracy, "test/top1_sd": 0.1, "holdout/top1": 0.5}
            for evaluation in (KNN, LINEAR):
                finish(evaluated(results, path.name, label, seed=seed, evaluation=evaluation), metrics=metrics)
            target = {"use": "mnist_5k", "limit": None}
            finish(evaluated(results, path.name, label, seed=seed, dataset=target), metrics={"test/top1": 0.4})
    judged_by(results, LINEAR)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    study(folder)
    assert sync(folder).problems == []
    return folder


def test_a_row_is_the_mean_of_its_seeds_which_lie_inside_it(results: Path) -> None:
    experiment = opened(results)
    seeds = level(experiment, "seed")
    for run in level(experiment, "row").values():
        values = ACCURACIES[run.data.tags["method"]]
        metrics = run.data.metrics
        assert metrics["linear/top1"] == metrics["knn20/top1"] == metrics[MAIN] == statistics.fmean(values)
        assert metrics[f"{SPREAD}/linear/top1"] == pytest.approx(statistics.stdev(values))
        assert metrics["transfer/mnist_5k/knn20/top1"] == 0.4
        assert "holdout/top1" not in " ".join(metrics)
        inside = [seed for seed in seeds.values() if seed.data.tags[PARENT] == run.info.run_id]
        assert [seed.data.metrics["linear/top1"] for seed in inside] == list(values)
        assert run.data.params.keys() == inside[0].data.params.keys() - {"seed"}
        assert run.data.tags["seeds"] == "2 of 2"


def test_models_are_found_by_a_metric_and_name_their_weights(results: Path) -> None:
    experiment = opened(results)
    order = [{"field_name": "metrics.linear/top1", "ascending": False}]
    models = experiment.store.client.search_logged_models([experiment.id], order_by=order)
    reached = [next(m.value for m in model.metrics if m.key == "linear/top1") for model in models]
    assert reached == sorted((value for values in ACCURACIES.values() for value in values), reverse=True)
    assert (results / models[0].tags[WEIGHTS]).exists()
    on = {metric.key: metric.dataset_name for metric in models[0].metrics}
    assert on[MAIN] == "digits"
    assert (on["linear/top1"], on["transfer/mnist_5k/knn20/top1"]) == ("digits", "mnist_5k")


def test_a_model_names_the_command_that_exports_it(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = opened(results)
    monkeypatch.chdir(results.parent)
    for model in experiment.store.client.search_logged_models([experiment.id]):
        command = model.tags[EXPORTS_WITH].split()
        assert command[:4] == ["python", "-m", "pipelines", "export"]
        assert Path(command[4], "record.json").exists()


def test_the_best_model_is_the_first_seed_of_the_method_that_leads(results: Path) -> None:
    client = MlflowClient(TrackingSettings().address(results))
    version = client.get_model_version_by_alias(STUDY, BEST)
    assert client.get_run(version.run_id).data.tags["run_key"] == "simclr-0"
    assert "first seed of simclr, the highest mean of linear/top1" in client.get_registered_model(STUDY).description


def test_a_second_sync_registers_nothing_again(results: Path) -> None:
    client = MlflowClient(TrackingSettings().address(results))
    sync(results)
    assert len(client.search_model_versions(f"name = '{STUDY}'")) == 1


def test_the_page_of_a_study_opens_a_view_whose_columns_runs_have(results: Path) -> None:
    experiment = opened(results)
    tags = {name: value for name, value in experiment.tags.items() if name.startswith(TAG)}
    assert f"{TAG}{page('http://h', '1').rpartition('viewStateShareKey=')[2]}" in tags
    row = next(iter(level(experiment, "row").values())).data
    known = {f"metrics.`{name}`" for name in row.metrics} | {f"tags.`{name}`" for name in row.tags}
    for value in tags.values():
        state = json.loads(json.loads(value)["state"])
        assert set(state["selectedColumns"]) <= known
        assert state["orderByKey"] in known | {CREATED}
        assert state["columnWidths"].keys() == set(state["columnOrder"])


def test_a_run_names_its_data_sets_and_keeps_records_and_pictures(results: Path) -> None:
    experiment = opened(results)
    run = level(experiment, "seed")["moco-0"]
    inputs = {(each.dataset.name, each.tags[0].value) for each in run.inputs.dataset_inputs}
    assert {("digits", "pretraining"), ("mnist_5k", "evaluation")} <= inputs
    assert all('"train": 90' in each.dataset.profile for each in run.inputs.dataset_inputs)
    files = results / "mlartifacts" / STUDY / run.info.run_id / "artifacts"
    assert (files / "evaluations" / "transfer" / "mnist_5k" / "knn20.json").exists()
    assert (files / "views.png").read_bytes() == b"picture"


def test_a_moved_folder_is_the_same_study_and_files_move_with_it(results: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(results, moved)
    outcome = sync(moved)
    assert (outcome.sent, outcome.problems) == (0, [])
    assert opened(moved).files == f"mlflow-artifacts:/{STUDY}"


def test_an_evaluation_run_anew_replaces_its_number_everywhere(tmp_path: Path) -> None:
    study(tmp_path)
    sync(tmp_path)
    finish(evaluated(tmp_path, "moco-0", evaluation=LINEAR), metrics={"test/top1": 0.2})
    assert (
        sync(tmp_path).sent == 3
    )  # its run and its row are written afresh; the row's other seed moves into the new one
    experiment = opened(tmp_path)
    (row,) = [run for run in level(experiment, "row").values() if run.data.tags["method"] == "moco"]
    assert level(experiment, "seed")["moco-0"].data.metrics["linear/top1"] == 0.2
    assert row.data.metrics["linear/top1"] == statistics.fmean([0.2, ACCURACIES["moco"][1]])
    models = MlflowClient(TrackingSettings().address(tmp_path)).search_logged_models([experiment.id])
    assert len(models) == sum(map(len, ACCURACIES.values()))


def test_charts_show_the_main_number_first_and_no_spread_among_the_means(results: Path) -> None:
    names = [name for run in level(opened(results), "row").values() for name in run.data.metrics]
    assert min(names) == MAIN
    assert not [name for name in names if name.endswith("_sd")]


def test_another_main_number_replaces_the_one_before(tmp_path: Path) -> None:
    study(tmp_path)
    runs = sync(tmp_path).sent
    judged_by(tmp_path, KNN)
    assert [sync(tmp_path).sent, sync(tmp_path).sent] == [runs, 0]
    experiment = opened(tmp_path)
    for run in experiment.runs().values():
        assert [name for name in run[0].data.metrics if "answer" in name] == ["answer/knn20 top1"]
    models = experiment.store.client.search_logged_models([experiment.id])
    assert len(models) == sum(map(len, ACCURACIES.values()))


def test_a_search_holds_its_trials(tmp_path: Path) -> None:
    path = planned(tmp_path, "tune", "search-1", "moco", {"shards": "digits-1"}, SPEC)
    trials = [
        {"slot": 0, "params": {"temperature": 0.2}, "value": 0.8, "state": "COMPLETE", "seconds": 1.0},
        {"slot": 1, "params": {"temperature": 9.0}, "value": None, "state": "DIVERGED", "seconds": 1.0},
    ]
    write_json(path / "trials.json", trials)
    assert sync(tmp_path).sent == 0
    finish(path, metrics={"tune/best": 0.8})
    assert sync(tmp_path).sent == 3
    found = level(opened(tmp_path), "trial")
    assert {run.info.run_name: run.info.status for run in found.values()} == {
        "trial 0": "FINISHED",
        "trial 1": "FAILED",
    }
    assert found["search-1-trial-0"].data.metrics == {"tune/value": 0.8}
    (search,) = level(opened(tmp_path), "row").values()
    assert {run.data.tags[PARENT] for run in found.values()} == {search.info.run_id}


def test_the_report_is_a_run_with_the_answer_and_is_replaced_by_a_newer_one(tmp_path: Path) -> None:
    finish(folder(tmp_path))
    page = tmp_path / STUDY / "report.html"
    sync(tmp_path)
    assert opened(tmp_path).tags[NOTE] == QUESTION
    for text in ("old", "newer"):
        page.write_text(text)
        write_json(tmp_path / STUDY / "brief.json", {"question": "Which?", "answers": [f"{text} answer", "And more."]})
        sync(tmp_path)
        (run,) = level(opened(tmp_path), "report").values()
        assert run.data.tags[NOTE] == f"Which?\n\n{text} answer\n\nAnd more."
        answer, question, where = opened(tmp_path).tags[NOTE].split("\n\n")
        assert (answer, question) == (f"{text} answer And more.", "The question: **Which?**")
        assert f"/runs/{run.info.run_id}/artifacts/report.html)" in where
        assert f"{tmp_path.name}/{STUDY}/report.html" in where
        assert (tmp_path / "mlartifacts" / STUDY / run.info.run_id / "artifacts" / "report.html").read_text() == text


@pytest.mark.parametrize("lacking", ["a method", "an evaluation"])
def test_no_model_is_registered_while_a_method_is_not_done(tmp_path: Path, lacking: str) -> None:
    study(tmp_path)
    if lacking == "a method":
        folder(tmp_path, "byol-0", label="byol")
    else:
        (evaluated(tmp_path, "moco-1", seed=1, evaluation=LINEAR) / "record.json").unlink()
    assert sync(tmp_path).problems == []
    if lacking == "an evaluation":
        assert level(opened(tmp_path), "seed")["moco-1"].info.status == "SCHEDULED"
    with pytest.raises(MlflowException, match="not found"):
        MlflowClient(TrackingSettings().address(tmp_path)).get_model_version_by_alias(STUDY, BEST)
