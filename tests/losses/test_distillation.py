import pytest
import torch
import torch.nn.functional as F
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.distillation import distillation


@both_precisions
@pytest.mark.parametrize("scale", ["paper", "code"])
@pytest.mark.parametrize(("name", "temperature"), [("T1", 1.0), ("T01", 0.1), ("T2", 2.0)])
def test_loss_and_gradient(dtype, name, temperature, scale):
    given, expected = tensors("simclrv2_distill", dtype), load("simclrv2_distill")
    student, teacher = given["student_logits"].requires_grad_(), given["teacher_logits"].requires_grad_()
    loss = distillation(student, teacher, temperature, squared_scale=scale == "code")
    loss.backward()
    assert_close(loss, expected[f"{name}_loss_{scale}"], dtype)
    assert_close(student.grad, expected[f"{name}_grad_student_{scale}"], dtype)
    assert teacher.grad is None


def test_equal_logits_leave_the_teachers_entropy_and_no_gradient():
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    loss = distillation(logits, logits, 0.5)
    loss.backward()
    softened = (logits.detach() / 0.5).softmax(dim=1)
    torch.testing.assert_close(loss.detach(), torch.distributions.Categorical(softened).entropy().mean())
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits))


def test_a_certain_teacher_is_a_label():
    student = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 4, 2, 2, 1, 3])
    teacher = 1e4 * F.one_hot(labels, 5).float()
    torch.testing.assert_close(distillation(student, teacher, 1.0), F.cross_entropy(student, labels))
