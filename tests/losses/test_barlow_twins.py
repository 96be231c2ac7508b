"""Barlow Twins' loss: by loops, closed forms, invariances, and its gradient by hand."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipelines.losses.barlow_twins import barlow_twins, cross_correlation, off_diagonal_squares, standardised

N, D, LAMBDA = 7, 4, 0.3


def views(seed: int = 0) -> list[Tensor]:
    return list(torch.randn(2, N, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def total(first: Tensor, second: Tensor) -> Tensor:
    terms = barlow_twins(first, second)
    return terms.on_diagonal + LAMBDA * terms.off_diagonal


def signs(features: int) -> Tensor:
    """Every pattern of signs once (2^D, D): mean 0, variance 1, uncorrelated, all of it exactly."""
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=features)), dtype=torch.float64)


def test_the_loss_is_what_loops_give():
    first, second = (view.tolist() for view in views())
    mean = [[sum(row[i] for row in view) / N for i in range(D)] for view in (first, second)]
    spread = [
        [math.sqrt(sum((row[i] - mean[v][i]) ** 2 for row in view) / N + 1e-5) for i in range(D)]
        for v, view in enumerate((first, second))
    ]
    on, off = 0.0, 0.0
    for i in range(D):
        for j in range(D):
            products = [(first[n][i] - mean[0][i]) * (second[n][j] - mean[1][j]) for n in range(N)]
            c = sum(products) / N / spread[0][i] / spread[1][j]
            if i == j:
                on += (1 - c) ** 2
            else:
                off += c**2
    found = barlow_twins(*views())
    assert found.on_diagonal.item() == pytest.approx(on)
    assert found.off_diagonal.item() == pytest.approx(off)


def test_a_feature_is_standardised_as_by_batch_norm_without_parameters():
    z = views()[0]
    torch.testing.assert_close(standardised(z), F.batch_norm(z, None, None, training=True))


def test_equal_whitened_views_are_the_minimum():
    z = signs(D)
    torch.testing.assert_close(cross_correlation(z, 3 * z + 5), torch.eye(D, dtype=z.dtype), rtol=0, atol=1e-5)
    assert total(z, 3 * z + 5).item() == pytest.approx(0, abs=1e-8)


def test_constant_features_cost_one_each():
    constant = torch.ones(N, D, dtype=torch.float64)
    assert barlow_twins(constant, constant) == (D, 0)
    first, _ = views()
    assert barlow_twins(first, constant) == (D, 0)


def test_opposite_features_cost_four_and_equal_ones_cost_redundancy():
    z = signs(D)
    flipped = z * torch.tensor([1, -1, 1, 1])
    assert barlow_twins(z, flipped).on_diagonal.item() == pytest.approx(4, abs=1e-3)
    same = z[:, :1].expand(-1, D)  # every feature is the first: C is 1 everywhere
    terms = barlow_twins(same, same)
    assert terms.on_diagonal.item() == pytest.approx(0, abs=1e-8)
    assert terms.off_diagonal.item() == pytest.approx(D * (D - 1), rel=1e-4)


def test_order_of_images_features_and_views_changes_nothing():
    first, second = views()
    expected, images, features = total(first, second), torch.randperm(N), torch.randperm(D)
    torch.testing.assert_close(total(first[images], second[images]), expected)
    torch.testing.assert_close(total(first[:, features], second[:, features]), expected)
    torch.testing.assert_close(total(second, first), expected)
    assert not torch.allclose(total(first, second[images.roll(1)]), expected)


def test_shift_and_scale_of_a_feature_change_nothing():
    first, second = views()
    moved = first * torch.tensor([1.0, 2.0, 10.0, 50.0]) + torch.arange(D)
    torch.testing.assert_close(total(moved, second), total(first, second), rtol=1e-4, atol=0)  # eps aside


def test_off_diagonal_squares_leave_the_diagonal_out():
    matrix = torch.arange(9.0).view(3, 3)
    assert off_diagonal_squares(matrix).item() == sum(x**2 for x in (1, 2, 3, 5, 6, 7))


def test_the_gradient_is_that_of_the_formula_by_hand():
    """dL/dC through C = z1^T z2 / N, then through the standardisation, as batch norm's backward pass has it."""
    first, second = (view.requires_grad_() for view in views(1))
    found = torch.autograd.grad(total(first, second), (first, second))
    plain = [view.detach() for view in (first, second)]
    rate = [(view.var(0, correction=0) + 1e-5).rsqrt() for view in plain]
    unit = [(view - view.mean(0)) * r for view, r in zip(plain, rate)]
    correlation, identity = unit[0].T @ unit[1] / N, torch.eye(D, dtype=torch.float64)
    of_matrix = 2 * LAMBDA * correlation * (1 - identity) - 2 * (1 - correlation) * identity
    upstream = (unit[1] @ of_matrix.T / N, unit[0] @ of_matrix / N)
    for gradient, g, z, r in zip(found, upstream, unit, rate):
        torch.testing.assert_close(gradient, r * (g - g.mean(0) - z * (g * z).mean(0)))
