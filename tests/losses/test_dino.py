import math

import numpy as np
import pytest
import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors

from pipelines.losses.dino import dino_loss, entropy, next_centre, teacher_targets, teacher_temperature


@both_precisions
def test_three_calls_match_the_reference(dtype):
    given, expected = tensors("dino_loss", dtype), load("dino_loss")
    b, centre = int(given["batch_size"]), given["center_in"]
    start, end = float(expected["warmup_teacher_temp"]), float(expected["teacher_temp"])
    for call, epoch in enumerate(given["epochs"].tolist()):
        student = given["student_out"][call].requires_grad_()
        teacher = given["teacher_out"][call]
        temperature = teacher_temperature(epoch, start, end, int(expected["warmup_teacher_temp_epochs"]))
        loss = dino_loss(student.split(b), teacher.split(b), centre, float(expected["student_temp"]), temperature)
        (gradient,) = torch.autograd.grad(loss, student)
        centre = next_centre(centre, teacher.mean(0), float(expected["center_momentum"]))
        assert_close(loss, expected["loss"][call], dtype)
        assert_close(gradient, expected["grad_student"][call], dtype)
        assert_close(centre, expected["center_out"][call], dtype)


def test_teacher_temperature_matches_the_reference():
    expected = load("dino_loss")
    start, end = float(expected["warmup_teacher_temp"]), float(expected["teacher_temp"])
    warm = int(expected["warmup_teacher_temp_epochs"])
    got = [teacher_temperature(epoch, start, end, warm) for epoch in range(int(expected["n_epochs"]))]
    np.testing.assert_allclose(got, expected["teacher_temp_schedule"], rtol=1e-12)


def test_short_warm_ups():
    assert teacher_temperature(0, 0.04, 0.07, 0) == 0.07
    assert [teacher_temperature(epoch, 0.04, 0.07, 1) for epoch in (0, 1)] == [0.04, 0.07]


def crops(seed: int, number: int = 4) -> list[torch.Tensor]:
    return list(torch.randn(number, 3, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def test_uniform_outputs_leave_only_chance():
    flat = [torch.zeros(3, 6)] * 4
    assert dino_loss(flat, flat[:2], torch.zeros(1, 6), 0.1, 0.04).item() == pytest.approx(math.log(6))


def test_a_shift_of_teacher_and_centre_alike_changes_nothing():
    student, teacher, centre = crops(0), crops(1, 2), crops(2, 1)[0][:1]
    shift = torch.linspace(-1, 2, 6, dtype=torch.float64)
    moved = dino_loss(student, [crop + shift for crop in teacher], centre + shift, 0.1, 0.04)
    torch.testing.assert_close(moved, dino_loss(student, teacher, centre, 0.1, 0.04))


def test_a_student_that_copies_the_teacher_reaches_its_entropy():
    logits = crops(3, 1)[0]
    targets = teacher_targets(logits, torch.zeros(1, 6), 0.5)
    copied = dino_loss([logits, logits], [logits, logits], torch.zeros(1, 6, dtype=torch.float64), 0.5, 0.5)
    assert copied.item() == pytest.approx(entropy(targets).item())
    other = dino_loss(crops(4, 2), [logits, logits], torch.zeros(1, 6, dtype=torch.float64), 0.5, 0.5)
    assert other > copied


def test_a_view_is_never_compared_with_itself():
    student = [crop.requires_grad_() for crop in crops(5, 2)]
    dino_loss(student, crops(6, 1), torch.zeros(1, 6, dtype=torch.float64), 0.1, 0.04).backward()
    assert student[0].grad is None  # the only teacher crop is view 0
    assert student[1].grad.any()


def test_the_centre_tends_to_a_steady_mean():
    centre, mean = torch.zeros(1, 6), torch.arange(6.0)
    torch.testing.assert_close(next_centre(centre, mean, 0.9), 0.1 * mean[None])
    for _ in range(300):
        centre = next_centre(centre, mean, 0.9)
    torch.testing.assert_close(centre, mean[None])


def test_entropy_at_both_ends():
    assert entropy(torch.full((2, 8), 1 / 8)).item() == pytest.approx(math.log(8))
    assert entropy(torch.eye(4)).item() == 0
