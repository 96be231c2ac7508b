"""What stages have to mean, whatever module their parts live in: on a small study of digits, by its commands."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from study_tools import Made, Untaught

from pipelines.building.features import trained_source
from pipelines.building.methods import Pretrained
from pipelines.errors import InputError
from pipelines.sources.reader import open_shards

STUDY = """
question: q
dataset: {use: digits, limit: 300}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods:
  - {use: simclr, version: 2, label: healthy}
  - {use: simsiam, dim: 64, norm: hidden, stop_gradient: false, label: collapsing, training: {epochs: 12, lr_per_256: 0.8}}
seeds: [0, 1]
training: {epochs: 1, batch_size: 64, lr_per_256: 0.1, optimizer: sgd, precision: float32}
views: {flip: 0.0, blur: 0.0, scale: [0.5, 1.0]}
tuning: {trials: 3, epochs: 1, methods: [healthy], space: {temperature: {low: 0.05, high: 0.5, log: true}}}
evaluation:
  - {use: finetune, label_share: 0.2, head_layers: 1}
  - {use: distill, teacher: {label_share: 0.2, head_layers: 1}}
  - {use: knn, k: 5}
  - {use: knn, k: 5, head_layers: 3}
floors: false
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """The study with one finished pretraining."""
    made = Made.of(STUDY, tmp_path_factory.mktemp("study"))
    made.run(made.one("pretrain", "healthy"))
    return made


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_collapsed_run_is_flagged_and_a_healthy_one_is_not(made):
    job = made.one("pretrain", "collapsing")
    made.run(job)
    assert made.record(job)["flags"] == ["collapsed"]
    assert made.record(made.one("pretrain", "healthy"))["flags"] == []


def test_fine_tuning_starts_from_the_pretrained_encoder_and_the_kept_layers_of_its_head(made, monkeypatch):
    untaught, weights = Untaught(monkeypatch), made.one("pretrain", "healthy").folder(made.results)
    made.run(made.one("evaluate", "healthy", use="finetune"))
    classifier = untaught.trainers[0].method
    assert equal(classifier.encoder.state_dict(), load_file(weights / "encoder.safetensors"))
    head = load_file(weights / "head.safetensors")
    kept = classifier.head.state_dict()
    assert kept
    assert equal(kept, {name: head[name] for name in kept})


def test_a_probe_behind_the_head_reads_what_its_trained_layers_give(made):
    weights = made.one("pretrain", "healthy").folder(made.results)
    batch = [torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))]
    plain, behind = (
        trained_source(Pretrained.left(weights), layers).embed(torch.device("cpu"))(iter(batch)) for layers in (0, 1)
    )
    head = load_file(weights / "head.safetensors")
    hidden = plain @ head["0.0.weight"].T
    scale = head["0.1.weight"] / (head["0.1.running_var"] + 1e-5).sqrt()
    expected = ((hidden - head["0.1.running_mean"]) * scale + head["0.1.bias"]).relu()
    assert torch.allclose(behind, expected, atol=1e-5)
    with pytest.raises(InputError, match=r"head_layers: 4 asked for, and the head has 3"):
        trained_source(Pretrained.left(weights), 4)


def test_evaluations_before_and_behind_the_head_share_no_features(made):
    jobs = [made.one("evaluate", "healthy", use="knn", head_layers=layers) for layers in (0, 3)]
    made.run(*jobs)
    assert [made.record(job)["derived"]["features/width"] for job in jobs] == [64, 128]


def test_fine_tuning_sees_its_share_of_every_class_and_no_other_image(made, monkeypatch):
    untaught = Untaught(monkeypatch)
    made.run(made.one("evaluate", "healthy", use="finetune"))
    label = open_shards(made.shards()).table("train").label
    seen = torch.cat([batch.label for batch in untaught.trainers[0].data.epoch(0)])
    assert np.bincount(seen).tolist() == [round(0.2 * count) for count in np.bincount(label)]


def test_a_student_learns_from_the_teacher_that_was_fine_tuned(made, monkeypatch):
    student = made.one("evaluate", "healthy", use="distill")
    teacher = made.plan.jobs["evaluate", student.inputs["teacher"]]
    made.run(teacher)
    untaught = Untaught(monkeypatch)
    made.run(student)
    tuned = load_file(teacher.folder(made.results) / "classifier.safetensors")
    assert equal(untaught.trainers[0].method.teacher.state_dict(), tuned)
    assert tuned["linear.weight"].any(), "a classifier starts at zero: this one was trained"


def test_tuning_uses_no_seed_that_is_reported_and_none_twice(made, monkeypatch):
    untaught = Untaught(monkeypatch)
    job = made.plan.of("tune")[0]
    made.run(job)
    search, seeds = job.spec.search, [trainer.seed for trainer in untaught.trainers]
    trials, repeats = seeds[: search.trials], seeds[search.trials :]
    assert len(set(trials)) == search.trials
    assert len(set(repeats)) == search.repeats, "finalists share their seeds, so that they are paired"
    assert not set(trials) & set(repeats)
    assert not set(seeds) & set(made.plan.study.seeds)


def test_the_tuned_run_trains_with_what_tuning_chose(made, monkeypatch):
    untaught = Untaught(monkeypatch)
    job = next(job for job in made.plan.of("pretrain") if "best" in job.inputs)
    made.run(made.plan.jobs["tune", job.inputs["best"]], job)
    *trials, tuned = (trainer.method.options.temperature for trainer in untaught.trainers)
    assert tuned == made.record(job)["derived"]["tuned/temperature"]
    assert tuned in trials
    assert tuned != job.spec.method.temperature
