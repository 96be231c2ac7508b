"""Evaluations that train on images: in two processes as in one, stopped and gone on, by the command a user types.

Nothing is drawn in this study (whole images, no flips), and its network has no batch norm, so that two processes have to find
the classifier that one finds.
"""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from pretraining_tools import ENVIRONMENT, lines, stage
from safetensors.torch import load_file

from pipelines import distributed
from pipelines.building import workbench
from pipelines.building.subject import Subject
from pipelines.building.workbench import JobBench
from pipelines.records import read_record
from pipelines.signals import Stop
from pipelines.spec.folder import open_job, ready
from pipelines.spec.job import Job
from pipelines.spec.jobs import EvaluateSpec
from pipelines.spec.plan import Plan, plan_file
from pipelines.spec.writing import write_specs
from pipelines.training.loop import Clock, Fitted

STUDY = """
question: Does the number of processes change an evaluation?
dataset: {use: digits, limit: 160}
encoder: {use: vit, size: micro, patch: 4}
methods: [{use: simclr, dim: 16}]
seeds: [0]
training: {epochs: 1, batch_size: 32, optimizer: adamw, lr_per_256: 0.001, precision: float32}
evaluation:
  - &teacher {use: finetune, epochs: 6, batch_size: 32, crop: [1.0, 1.0], flip: 0.0, label_share: 0.5}
  - {use: distill, teacher: *teacher, label_weight: 0.5, epochs: 3, batch_size: 32, crop: [1.0, 1.0], flip: 0.0}
  - {use: linear_augmented, epochs: 3, batch_size: 32, lrs: [0.1, 1.0], crop: [1.0, 1.0], flip: 0.0}
  - {use: knn, k: 5}
floors: false
"""
DONE = "record.json"
LONG = STUDY.replace("epochs: 6", "epochs: 150")
"""A fine-tuning that is still at work when the signal comes, however busy the machine."""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shared evaluation")]


def planned(folder: Path, study: str = STUDY) -> tuple[Plan, Path]:
    """The plan, and the results folder with what each job is told."""
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(study)
    plan, results = plan_file(folder / "study.yaml"), folder / "results"
    write_specs(plan, results)
    return plan, results


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=200, check=False)


def evaluations(plan: Plan) -> dict[str, Job]:
    return {job.spec.evaluation.use: job for job in plan.of("evaluate")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Plan, Path]:
    """Everything done by one process from beginning to end."""
    plan, results = planned(tmp_path_factory.mktemp("evaluations"))
    for job in plan.jobs.values():
        done = run(*stage(job.stage, job.folder(results)))
        assert done.returncode == 0, done.stderr
    return plan, results


def begun(undisturbed, folder: Path, study: str = STUDY) -> tuple[Plan, Path]:
    """A results folder in which all is done that evaluations of features start from."""
    plan, results = planned(folder, study)
    for job in plan.jobs.values():
        if job.stage != "evaluate":
            put(job, undisturbed[1], results)
    return plan, results


def put(job: Job, from_: Path, results: Path) -> None:
    place = job.folder(results)
    (place / "spec.json").unlink()
    place.rmdir()
    place.symlink_to(job.folder(from_))


@pytest.mark.parametrize("use", ["finetune", "distill", "linear_augmented"])
def test_two_processes_find_the_classifier_of_one(undisturbed, tmp_path, use):
    plan, results = begun(undisturbed, tmp_path / "study")
    job = evaluations(plan)[use]
    if use == "distill":
        put(evaluations(plan)["finetune"], undisturbed[1], results)
    done = run(*stage("evaluate", job.folder(results), 2))
    assert done.returncode == 0, done.stderr
    one, two = (read_record(job.folder(each)) for each in (undisturbed[1], results))
    assert (one.derived["processes"], two.derived["processes"]) == (1, 2)
    assert two.metrics["test/top1"] == pytest.approx(one.metrics["test/top1"], abs=0.02)
    weights = [load_file(job.folder(each) / "classifier.safetensors") for each in (undisturbed[1], results)]
    for name, value in weights[0].items():
        assert weights[1][name].numpy() == pytest.approx(value.numpy(), rel=0.05, abs=2e-3), name


def test_each_process_gets_its_part_of_every_batch(undisturbed, monkeypatch):
    plan, results = undisturbed
    job = evaluations(plan)["finetune"]
    kept = []

    class Kept:
        def __init__(self, **given):
            kept.append(given["data"])

        def fit(self):
            return Fitted({}, {}, Clock(training=1.0, steps=1))

    monkeypatch.setattr(workbench, "Trainer", Kept)
    bench = JobBench.of(Subject.of(ready(open_job(job.folder(results), EvaluateSpec))), Stop(), print)
    for world, rank in ((1, 0), (2, 0), (2, 1)):
        monkeypatch.setattr(distributed, "world_size", lambda world=world: world)
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        bench.fit(torch.nn.Identity(), job.spec.evaluation, np.arange(100))
    whole, *parts = [next(iter(data.epoch(0))).index.tolist() for data in kept]
    assert len(whole) == job.spec.evaluation.batch_size
    assert parts == [whole[: len(whole) // 2], whole[len(whole) // 2 :]]


def test_it_saves_when_it_is_asked_to_end_and_goes_on(undisturbed, tmp_path):
    plan, results = begun(undisturbed, tmp_path / "whole", LONG)
    whole = evaluations(plan)["finetune"].folder(results)
    assert run(*stage("evaluate", whole)).returncode == 0
    plan, results = begun(undisturbed, tmp_path / "stopped", LONG)
    job = evaluations(plan)["finetune"].folder(results)
    running = subprocess.Popen(stage("evaluate", job), env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while lines(job / "history.jsonl") < 1 and time.monotonic() < until:
        time.sleep(0.001)
    running.send_signal(signal.SIGTERM)
    told, _ = running.communicate(timeout=100)
    assert running.returncode == 143
    assert "the same command goes on from there" in told
    assert "finetune starts" in told
    assert "trains from step 0 of" in told
    assert not (job / DONE).exists()
    assert run(*stage("evaluate", job)).returncode == 0
    assert read_record(job).metrics == read_record(whole).metrics
    assert (job / "classifier.safetensors").read_bytes() == (whole / "classifier.safetensors").read_bytes()


def test_what_processes_cannot_share_is_refused(undisturbed, tmp_path):
    plan, results = begun(undisturbed, tmp_path / "study")
    jobs = evaluations(plan)
    refused = run(*stage("evaluate", jobs["knn"].folder(results), 2))
    assert refused.returncode != 0
    assert "knn is measured by one process; leave --processes out" in refused.stderr
    refused = run(*stage("evaluate", jobs["finetune"].folder(results), 3))
    assert refused.returncode != 0
    assert "32 images a step" in refused.stderr
    assert "cannot be shared evenly by 3 processes" in refused.stderr
    assert not any((job.folder(results) / DONE).exists() for job in jobs.values())


def test_a_finished_one_is_left_alone(undisturbed):
    plan, results = undisturbed
    job = evaluations(plan)["knn"].folder(results)
    before = json.loads((job / DONE).read_text())
    assert run(*stage("evaluate", job, 2)).returncode == 0
    assert json.loads((job / DONE).read_text()) == before
