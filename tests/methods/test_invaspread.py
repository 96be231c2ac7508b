"""InvaSpread: the released loss and gradient through the method, and its symmetries."""

import math

import pytest
import torch
from methods.tools import LinearEncoder, batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from torch import nn

from pipelines.methods.invaspread import InvaSpread
from pipelines.spec.methods.invaspread import Options


@both_precisions
def test_loss_and_gradient_are_those_of_the_released_code(dtype):
    x, expected = tensors("invaspread", dtype), load("invaspread")
    count, raw = int(x["n_images"]), x["x_raw"].requires_grad_()
    dim = raw.shape[1]
    method = InvaSpread(Options(temperature=float(x["T"]), dim=dim), LinearEncoder(dim), nn.Identity())
    output = method.loss([raw[:count], raw[count:]], batch(count), progress())
    output.loss.backward()
    assert_close(output.loss, expected["loss"], dtype)
    assert_close(raw.grad, expected["grad_x_raw"], dtype)
    scores = torch.cat([output.watched["positive_scores"][:, None], output.watched["negative_scores"]], dim=1)
    assert_close((scores / float(x["T"])).softmax(dim=1)[:, 0], expected["p_pos"], dtype)


@both_precisions
def test_without_detaching_rows_learn_as_candidates_too(dtype):
    x, expected = tensors("invaspread", dtype), load("invaspread")
    count, unit = int(x["n_images"]), x["x"].requires_grad_()
    options = Options(temperature=float(x["T"]), dim=unit.shape[1], detach=False)
    method = InvaSpread(options, LinearEncoder(unit.shape[1]), nn.Identity())
    method.loss([unit[:count], unit[count:]], batch(count), progress()).loss.backward()
    whole, v = expected["grad_x_nodetach"], load("invaspread")["x"]
    assert_close(unit.grad, whole - (whole * v).sum(1, keepdims=True) * v, dtype)  # normalised inside: radial part gone


def small(**options: object) -> InvaSpread:
    torch.manual_seed(0)
    return InvaSpread(Options(dim=6, **options), LinearEncoder(10), nn.Linear(10, 6))


def views() -> list[torch.Tensor]:
    return list(torch.randn(2, 8, 10, generator=torch.Generator().manual_seed(1)))


def test_which_view_comes_first_does_not_matter():
    one, other = (small().loss(pair, batch(8), progress()).loss for pair in (views(), views()[::-1]))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_equal_embeddings_leave_chance(weight):
    method, equal = small(negative_weight=weight), torch.ones(8, 10)
    p = 1 / (1 + 14 * weight)
    expected = -math.log(p) - weight * 14 * math.log(1 - p)
    assert method.loss([equal, equal], batch(8), progress()).loss.item() == pytest.approx(expected, rel=1e-5)
