"""What trials are judged by and learn from: protocols on the held-out slice, a share of the images, real workers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from protocol_tools import CASES, NAMES, features, measured
from study_tools import Made

from pipelines import journal
from pipelines.building.methods import Pretrained
from pipelines.building.objective import judged
from pipelines.building.pretraining import online_knn, trainer
from pipelines.building.trials import rows_of_trials
from pipelines.cli import main
from pipelines.errors import InputError
from pipelines.methods.bank import MemoryBank
from pipelines.sources.reader import ShardSet, open_shards
from pipelines.spec.evaluation.few_shot import Options as FewShot
from pipelines.spec.evaluation.knn import Options as Knn
from pipelines.spec.evaluation.linear import Options as Linear
from pipelines.spec.jobs import TuneSpec
from pipelines.spec.made_by import code_of
from pipelines.spec.plan import plan_file
from pipelines.spec.resources import work
from pipelines.spec.tuning import Judged, Search

ROOT = Path(journal.__file__).parents[1]
CPU = torch.device("cpu")
STUDY = """
question: Which temperature?
dataset: {use: digits, limit: 400}
encoder: {use: resnet, depth: 10, width: 8}
methods: [{use: instdisc}]
seeds: [0]
training: {epochs: 2, batch_size: 16}
evaluation: [{use: knn, k: 5}]
tuning:
  trials: 5
  batch: 2
  finalists: 1
  repeats: 1
  methods: [instdisc]
  space: {temperature: {low: 0.05, high: 0.5}, training.optimizer: {choices: [sgd, adamw]}}
  %s
"""
ALL = """objective: {by: {use: linear, epochs: 1, least_steps: 40}, number: mean_per_class}
  data_share: 0.5
  rungs: {first: 1, factor: 2}"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made.of(STUDY % ALL, tmp_path_factory.mktemp("objective"))


@pytest.fixture(scope="module")
def shards(made: Made) -> ShardSet:
    return open_shards(made.shards())


def spec_of(made: Made) -> TuneSpec:
    (job,) = made.plan.of("tune")
    assert isinstance(job.spec, TuneSpec)
    return job.spec


def planned(folder: Path, more: str) -> TuneSpec:
    (folder / "study.yaml").write_text(STUDY % more)
    (job,) = plan_file(folder / "study.yaml").of("tune")
    assert isinstance(job.spec, TuneSpec)
    return job.spec


@pytest.mark.parametrize(("name", "options"), CASES, ids=NAMES)
def test_every_accuracy_that_can_be_an_objective_is_measured(name: str, options: Any) -> None:
    assert set(options.accuracies) <= measured(name, options, features()).test.keys()


def test_nearest_neighbours_as_a_protocol_are_those_of_the_training_curve(
    made: Made, shards: ShardSet, tmp_path: Path
) -> None:
    spec = spec_of(made).trial(0, {})
    method, evaluate = trainer(spec, shards, None).method, online_knn(shards, spec.views, spec.training, CPU)
    assert evaluate is not None
    found = judged(Judged(by=Knn(k=20)), Pretrained.of(method, spec, shards, "slot 0"), tmp_path)
    assert found == pytest.approx(evaluate(method.encoder)["eval/online_knn"])


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_trials_learn_from_a_share_of_every_class_and_of_nothing_held_out(shards: ShardSet, share: float) -> None:
    search = Search(trials=1, data_share=share)
    rows, label = rows_of_trials(search, shards), shards.table("train").label
    assert not np.isin(rows, shards.holdout).any()
    whole = np.bincount(label[shards.pretraining])
    assert (np.abs(np.bincount(label[rows]) - share * whole) < 1).all()
    np.testing.assert_array_equal(rows, rows_of_trials(search, shards))


def test_a_memory_bank_has_a_row_for_every_image_that_trials_learn_from(made: Made, shards: ShardSet) -> None:
    spec = spec_of(made)
    rows = rows_of_trials(spec.search, shards)
    trial = trainer(spec.trial(0, {}), shards, None, rows=rows)
    (bank,) = [module for module in trial.method.modules() if isinstance(module, MemoryBank)]
    assert len(bank.slots) == trial.data.num_samples == len(rows)


def test_the_headline_is_maximised_where_no_number_is_named() -> None:
    assert Judged(by=Linear()).name == "top1"
    assert Judged(by=FewShot(shots=(5, 1))).name == "5_shot"


def test_a_share_too_small_for_a_batch_is_refused_while_planning(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"instdisc: tuning\.data_share 0\.02: batch_size 16 is more than the \d+ images"
    ):
        planned(tmp_path, "data_share: 0.02")


def test_a_share_of_all_changes_no_key(tmp_path: Path) -> None:
    plain = planned(tmp_path, "").content()
    assert planned(tmp_path, "data_share: 1.0").content() == plain
    assert planned(tmp_path, "data_share: 0.5").content() != plain


def test_the_protocol_of_the_objective_is_part_of_the_code_that_makes_the_result(tmp_path: Path) -> None:
    files = [set(code_of(planned(tmp_path, more)).files) for more in ("", "objective: {by: {use: few_shot}}")]
    assert any("evaluation/few_shot.py" in file for file in files[1] - files[0])


def test_one_two_and_four_real_workers_find_the_same_best(made: Made, tmp_path: Path) -> None:
    (job,) = made.plan.of("tune")
    found = []
    for workers in (1, 2, 4):
        results = tmp_path / str(workers)
        shutil.copytree(made.results, results)
        folder = job.folder(results)
        command = [sys.executable, "-m", "pipelines", "tune", "--job", str(folder), "--of", str(workers), "--worker"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        running = [subprocess.Popen([*command, str(n)], cwd=ROOT, env=environment) for n in range(workers)]
        assert [process.wait(300) for process in running] == [0] * workers
        assert main(["tune", "--job", str(folder), "--close"]) == 0
        trials = json.loads((folder / "trials.json").read_text())
        for trial in trials:
            del trial["seconds"], trial["number"]  # by the clock, and by who came first
        found.append((trials, (folder / "best.json").read_bytes()))
    assert found[0] == found[1] == found[2]
    assert {trial["params"]["training.optimizer"] for trial in found[0][0]} == {"sgd", "adamw"}


def test_where_every_trial_diverged_there_is_no_best_and_no_tuned_training(tmp_path: Path, capsys) -> None:
    lines = (STUDY % "").replace("batch_size: 16}", "batch_size: 16, lr_per_256: 1.0e+30, precision: float32}")
    space = lines[lines.index("space:") :].splitlines()[0]
    text = lines.replace(space, "space: {training.lr_per_256: {low: 1.0e+28, high: 1.0e+32, log: true}}")
    made = Made.of(text.replace("trials: 5", "trials: 2").replace("limit: 400", "limit: 100"), tmp_path)
    (job,) = made.plan.of("tune")
    folder = job.folder(made.results)
    assert main(["tune", "--job", str(folder)]) == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "none of the 2 trials has a value, so there is no best (2 diverged, the first: " in said
    assert said.endswith("narrow the space or lower the learning rate")
    assert not (folder / "best.json").exists()
    assert not (folder / "record.json").exists()
    (tuned,) = (each for each in made.plan.of("pretrain") if "best" in each.inputs)
    assert main(["pretrain", "--job", str(tuned.folder(made.results))]) == 1
    assert "its input 'best' is not finished" in capsys.readouterr().err
    assert [path.name for path in tuned.folder(made.results).iterdir()] == ["spec.json"]


def test_nothing_held_out_is_refused_while_planning(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text((STUDY % "").replace("limit: 400", "limit: 400, holdout: 0.0"))
    with pytest.raises(
        InputError, match=r"instdisc: tuning judges trials on the held-out slice.*holdout: 0; set it above"
    ):
        plan_file(tmp_path / "study.yaml")


def test_a_study_asks_for_the_time_of_its_repeats_and_of_its_share(tmp_path: Path) -> None:
    alone = work(planned(tmp_path, "").trial(0, {}))
    assert work(planned(tmp_path, "")) == pytest.approx((5 + 1 * 2) * alone)
    assert work(planned(tmp_path, "data_share: 0.5")) == pytest.approx(0.5 * 7 * alone)
