import math

import pytest
import torch
import torch.nn.functional as F
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.invaspread import invaspread


@both_precisions
def test_loss_and_gradients(dtype):
    given, expected = tensors("invaspread", dtype), load("invaspread")
    images, temperature = given["n_images"].item(), given["T"].item()
    raw = given["x_raw"].requires_grad_()
    x = F.normalize(raw, dim=1)
    x.retain_grad()
    result = invaspread(x[:images], x[images:], temperature)
    result.loss.backward()
    assert_close(result.loss, expected["loss"], dtype)
    assert_close(x.grad, expected["grad_x"], dtype)
    assert_close(raw.grad, expected["grad_x_raw"], dtype)
    both = torch.cat([result.positive.unsqueeze(1), result.negative], dim=1) / temperature
    assert_close(both.softmax(dim=1)[:, 0], expected["p_pos"], dtype)


@both_precisions
def test_gradient_without_detaching(dtype):
    given, expected = tensors("invaspread", dtype), load("invaspread")
    images, x = given["n_images"].item(), given["x"].requires_grad_()
    loss = invaspread(x[:images], x[images:], given["T"].item(), detach=False).loss
    loss.backward()
    assert_close(loss, expected["loss"], dtype)
    assert_close(x.grad, expected["grad_x_nodetach"], dtype)


def unit_rows(count: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(count, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_equal_rows_in_closed_form(weight):
    z = F.normalize(torch.ones(4, 8, dtype=torch.float64), dim=1)  # 6 negatives, every P is 1 / (1 + 6 weight)
    p = 1 / (1 + 6 * weight)
    expected = -(math.log(p) + weight * 6 * math.log(1 - p))
    assert invaspread(z, z, 0.1, negative_weight=weight).loss.item() == pytest.approx(expected)


def test_order_of_views_and_of_images_changes_nothing():
    first, second, order = unit_rows(6, 0), unit_rows(6, 1), torch.tensor([3, 1, 5, 0, 2, 4])
    expected = invaspread(first, second, 0.3).loss
    torch.testing.assert_close(invaspread(second, first, 0.3).loss, expected)
    torch.testing.assert_close(invaspread(first[order], second[order], 0.3).loss, expected)


def test_certain_partner_gives_zero_and_not_nan():
    z = torch.eye(2).requires_grad_()  # P of the partner is 1 in float32 at this temperature
    loss = invaspread(z, z, 0.01).loss
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert z.grad.isfinite().all()


def test_certain_negative_is_finite():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).requires_grad_()
    loss = invaspread(first, -first.detach(), 0.01).loss
    loss.backward()
    assert loss.item() > 100
    assert loss.isfinite()
    assert first.grad.isfinite().all()


def test_shares_of_a_gathered_batch_average_to_the_joined_loss_and_gradient():
    leaves = [unit_rows(6, 4).requires_grad_(), unit_rows(6, 5).requires_grad_()]
    joined = invaspread(*leaves, 0.3).loss
    expected = torch.autograd.grad(joined, leaves)
    first, second = leaves
    gathered = (first.detach(), second.detach())
    parts = [
        invaspread(first[at : at + 3], second[at : at + 3], 0.3, candidates=gathered, offset=at).loss for at in (0, 3)
    ]
    shared = torch.stack(parts).mean()
    torch.testing.assert_close(shared, joined)
    torch.testing.assert_close(torch.autograd.grad(shared, leaves), expected)
