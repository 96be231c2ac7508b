import pytest
import torch
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors

from pipelines.losses.regression import byol_loss, cosine, simsiam_loss, squared_distance


def rows(seed: int) -> list[torch.Tensor]:
    return list(torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


@both_precisions
def test_byol_matches_the_reference(dtype):
    given, expected = tensors("byol_loss", dtype), load("byol_loss")
    names = ("pred1", "pred2", "target1", "target2")
    p1, p2, t1, t2 = (given[name].requires_grad_() for name in names)
    assert_close(squared_distance(p1, t2), expected["loss_view1"], dtype)
    assert_close(squared_distance(p2, t1), expected["loss_view2"], dtype)
    loss = byol_loss(p1, p2, t1, t2)
    loss.backward()
    assert_close(loss, expected["loss"], dtype)
    assert_close(p1.grad, expected["grad_pred1"], dtype)
    assert_close(p2.grad, expected["grad_pred2"], dtype)
    assert not expected["grad_target1"].any()
    assert not expected["grad_target2"].any()
    assert t1.grad is None
    assert t2.grad is None


@both_precisions
def test_simsiam_matches_the_reference(dtype):
    given, expected = tensors("simsiam_loss", dtype), load("simsiam_loss")
    p1, p2, z1, z2 = (given[name].requires_grad_() for name in ("p1", "p2", "z1", "z2"))
    assert_close(-cosine(p1, z2), expected["d_p1_z2"], dtype)
    assert_close(-cosine(p2, z1), expected["d_p2_z1"], dtype)
    loss = simsiam_loss(p1, p2, z1, z2)
    loss.backward()
    assert_close(loss, expected["loss"], dtype)
    assert_close(p1.grad, expected["grad_p1"], dtype)
    assert_close(p2.grad, expected["grad_p2"], dtype)
    assert z1.grad is None
    assert z2.grad is None


def test_byol_is_four_plus_four_times_simsiam():
    views = rows(0)
    assert byol_loss(*views).item() == pytest.approx(4 + 4 * simsiam_loss(*views).item())


def test_ends_of_the_range():
    p1, p2, _, _ = rows(1)
    assert byol_loss(p1, p2, 3 * p2, 0.1 * p1).item() == pytest.approx(0)
    assert byol_loss(p1, p2, -p2, -p1).item() == pytest.approx(8)
    assert simsiam_loss(p1, p2, p2, p1).item() == pytest.approx(-1)
    assert simsiam_loss(p1, p2, -p2, -p1).item() == pytest.approx(1)


def test_squared_distance_is_that_of_unit_rows_and_ignores_length_and_rotation():
    p, z, _, _ = rows(2)
    unit = p / p.norm(dim=1, keepdim=True) - z / z.norm(dim=1, keepdim=True)
    torch.testing.assert_close(squared_distance(p, z), unit.square().sum(1))
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=p.dtype))[0]
    torch.testing.assert_close(squared_distance(7 * p @ rotation, z @ rotation), squared_distance(p, z))


def test_without_stop_gradient_the_projections_learn_as_well():
    p1, p2, z1, z2 = (view.requires_grad_() for view in rows(4))
    simsiam_loss(p1, p2, z1, z2, stop_gradient=False).backward()
    assert z1.grad.any()
    assert z2.grad.any()
