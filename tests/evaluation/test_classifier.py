"""Fine-tuning and distillation: what they start from, what they learn from, and what they never read."""

import math

import pytest
import torch
from methods.tools import LinearEncoder, batch, progress
from torch import nn

from pipelines.errors import InputError
from pipelines.evaluation.classifier import Classifier, Distilled
from pipelines.losses.distillation import distillation
from pipelines.methods.heads import simclr_head
from pipelines.spec.jobs import Untrained
from pipelines.spec.plan import plan_file

CLASSES = 5


def classifier(seed: int = 0, **options) -> Classifier:
    torch.manual_seed(seed)
    return Classifier(LinearEncoder(10, nn.Linear(10, 10)), nn.Identity(), 10, CLASSES, **options)


def images(count: int = 6) -> list[torch.Tensor]:
    return [torch.randn(count, 10, generator=torch.Generator().manual_seed(2))]


def test_a_classifier_starts_at_chance():
    output = classifier().loss(images(), batch(6), progress())
    assert output.loss.item() == pytest.approx(math.log(CLASSES))


def test_it_keeps_the_first_layers_of_a_head_below_it():
    head = simclr_head([10, 7, 4])
    kept = Classifier(LinearEncoder(10), head[:1], 7, CLASSES)
    nn.init.eye_(kept.linear.weight)
    (view,) = images()
    torch.testing.assert_close(kept.logits(view), head[0](view)[:, :CLASSES])


def distilled(labelled: torch.Tensor, **options) -> Distilled:
    teacher = classifier(1)
    nn.init.normal_(teacher.linear.weight)
    given = {"temperature": 0.5, "label_weight": 0.0, "squared": False, **options}
    student = classifier(2)
    nn.init.normal_(student.linear.weight)
    return Distilled(student, teacher, labelled, **given)


def test_the_student_learns_the_teachers_predictions_and_the_teacher_stays():
    method = distilled(torch.zeros(6, dtype=torch.bool))
    output = method.loss(images(), batch(6), progress())
    with torch.no_grad():
        wanted = method.teacher.logits(images()[0])
    torch.testing.assert_close(output.loss, distillation(method.logits(images()[0]), wanted, 0.5))
    output.loss.backward()
    assert all(parameter.grad is None for parameter in method.teacher.parameters())
    assert method.linear.weight.grad is not None


def test_labels_of_images_outside_the_labelled_ones_are_never_read():
    known = torch.tensor([True, False, True, False, False, False])
    one, other = torch.tensor([0, 1, 2, 3, 4, 0]), torch.tensor([0, 4, 2, 0, 0, 3])  # differ where not known
    losses = [
        distilled(known, label_weight=0.5).loss(images(), batch(6, label=label), progress()).loss
        for label in (one, other)
    ]
    assert torch.equal(*losses)
    wrong = torch.tensor([1, 1, 2, 3, 4, 0])
    assert not torch.equal(
        losses[0], distilled(known, label_weight=0.5).loss(images(), batch(6, label=wrong), progress()).loss
    )


STUDY = """
question: q
dataset: {use: digits, image_size: 16}
encoder: {use: resnet, depth: 10, width: 8, stem: small}
methods: [{use: METHOD}]
seeds: [0]
training: {batch_size: 64, epochs: 20}
evaluation:
  - {use: finetune, label_share: 0.1, head_layers: 1}
  - {use: distill, teacher: {label_share: 0.1, head_layers: 1}}
"""


def test_the_three_steps_are_jobs_and_share_the_teacher(tmp_path):
    (tmp_path / "x.yaml").write_text(STUDY.replace("METHOD", "simclr, version: 2"))
    plan = plan_file(tmp_path / "x.yaml")
    student = next(job for job in plan.of("evaluate") if "teacher" in job.inputs)
    teacher = plan.jobs["evaluate", student.inputs["teacher"]]
    assert teacher.spec.evaluation.use == "finetune"
    assert set(teacher.inputs) == {"weights", "shards"}
    assert plan.names["evaluate", teacher.key].label == "simclr_v2"
    scratch = [job for job in plan.of("evaluate") if isinstance(job.spec.source, Untrained)]
    assert [job.spec.evaluation.use for job in scratch] == ["finetune"]


def test_a_head_that_has_no_layers_to_keep_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text(STUDY.replace("METHOD", "moco, queue_size: 512"))
    with pytest.raises(InputError, match=r"evaluation\[0\]: finetune suits none of the methods"):
        plan_file(tmp_path / "x.yaml")
