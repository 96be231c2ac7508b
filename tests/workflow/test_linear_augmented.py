"""The probe on augmented images and MAE's fine-tuning as stages: records, choices, and test labels without a part in them."""

import pytest
import torch
from safetensors.torch import load_file
from study_tools import Made

from pipelines.building.workbench import JobBench

STUDY = """
question: q
dataset: {use: digits, limit: 300}
encoder: {use: vit, size: micro, patch: 4}
methods: [{use: moco, queue_size: 64, label: moco}]
seeds: [0]
training: {batch_size: 64, epochs: 1, precision: float32}
evaluation:
  - {use: linear_augmented, form: simclr, epochs: 8, batch_size: 64, lrs: [0.0001, 1.0], features: [pooled, tokens_2_mean],
     crop: [0.5, 1.0], flip: 0.0}
  - {use: linear_augmented, form: mae, epochs: 2, lrs: [0.1], batch_size: 64}
  - {use: distill, epochs: 1, teacher: {epochs: 1, optimizer: adamw, lr_per_256: 0.001, layer_decay: 0.75, randaugment: 9,
     erasing: 0.25, mixup: 0.8, cutmix: 1.0, drop_path: 0.1, final_norm: true, labels_per_class: 10}}
floors: false
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    made = Made.of(STUDY, tmp_path_factory.mktemp("study"))
    made.run(*made.plan.of("pretrain"))
    return made


def test_all_candidates_are_judged_and_the_best_meets_test(made):
    job = made.one("evaluate", "moco", form="simclr")
    weights = made.plan.of("pretrain")[0].folder(made.results)
    before = load_file(weights / "encoder.safetensors")
    made.run(job)
    record = made.record(job)
    judged = {name: value for name, value in record["metrics"].items() if name.startswith("holdout/top1/")}
    assert len(judged) == 4
    assert record["derived"]["chosen/lr"] == 1.0
    assert record["derived"]["chosen/by"] == "cv5"
    assert record["metrics"]["test/top1"] > 0.2
    kept = load_file(job.folder(made.results) / "classifier.safetensors")
    encoder = {name.removeprefix("encoder."): value for name, value in kept.items() if name.startswith("encoder.")}
    assert all(torch.equal(encoder[name], before[name]) for name in before)
    assert kept["linear.weight"].shape[1] == {"pooled": 64, "tokens_2_mean": 192}[record["derived"]["chosen/feature"]]


def test_random_test_labels_change_no_choice(made, monkeypatch):
    job = made.one("evaluate", "moco", form="simclr")
    made.run(job)
    one, honest = made.record(job), JobBench.test

    def spoilt(bench, classifier):
        scores, label = honest(bench, classifier)
        return scores, label[torch.randperm(len(label), generator=torch.Generator().manual_seed(3))]

    monkeypatch.setattr(JobBench, "test", spoilt)
    made.run(job)
    other = made.record(job)
    for kind, start in (("derived", "chosen/"), ("metrics", "holdout/")):
        values = [
            {name: value for name, value in each[kind].items() if name.startswith(start)} for each in (one, other)
        ]
        assert values[0]
        assert values[0] == values[1]
    assert one["metrics"]["test/top1"] != other["metrics"]["test/top1"]


def test_wrong_test_labels_change_nothing_of_a_student_but_its_score(made, monkeypatch):
    student = made.one("evaluate", "moco", use="distill")
    teacher = made.plan.jobs["evaluate", student.inputs["teacher"]]
    made.run(teacher, student)
    file = student.folder(made.results) / "classifier.safetensors"
    one, weights, honest = made.record(student), load_file(file), JobBench.test

    def spoilt(bench, classifier):
        scores, label = honest(bench, classifier)
        return scores, (label + 1) % 10  # classes have different numbers of images: naming one alone is told apart, too

    monkeypatch.setattr(JobBench, "test", spoilt)
    made.run(teacher, student)
    other, again = made.record(student), load_file(file)
    assert weights.keys() == again.keys()
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    plain = [
        {name: value for name, value in each["derived"].items() if "seconds" not in name and "share" not in name}
        for each in (one, other)
    ]
    assert plain[0] == plain[1]
    assert one["metrics"] != other["metrics"]


def test_one_candidate_is_not_judged_by_folds(made):
    job = made.one("evaluate", "moco", form="mae")
    made.run(job)
    assert "chosen/by" not in made.record(job)["derived"]
    assert "holdout/top1" in made.record(job)["metrics"]


def test_maes_fine_tuning_recipe_runs_and_its_result_can_teach(made):
    student = made.one("evaluate", "moco", use="distill")
    teacher = made.plan.jobs["evaluate", student.inputs["teacher"]]
    made.run(teacher, student)
    kept = load_file(teacher.folder(made.results) / "classifier.safetensors")
    assert "head.1.weight" in kept
    assert kept["linear.weight"].any()
    assert made.record(teacher)["derived"]["labels"] == 100
