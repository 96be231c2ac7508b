"""VICReg's terms: by loops, closed forms, invariances, and their gradient by hand."""

import itertools
import math
import statistics

import pytest
import torch
from torch import Tensor

from pipelines.losses.vicreg import covariance_penalty, variance_hinge, vicreg

N, D = 7, 4


def views(seed: int = 0, size: float = 1.0) -> list[Tensor]:
    return list(size * torch.randn(2, N, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def signs(features: int) -> Tensor:
    """Every pattern of signs once (2^D, D): mean 0, variance 1, uncorrelated, all of it exactly."""
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=features)), dtype=torch.float64)


def test_the_terms_are_what_loops_give():
    first, second = (view.tolist() for view in views())
    invariance = sum((a - b) ** 2 for rows in zip(first, second) for a, b in zip(*rows)) / (N * D)
    variance = covariance = 0.0
    for view in (first, second):
        columns = list(zip(*view))
        for i, j in itertools.product(range(D), repeat=2):
            if i == j:
                variance += max(0.0, 1 - math.sqrt(statistics.variance(columns[i]) + 1e-4)) / D
            else:
                covariance += statistics.covariance(columns[i], columns[j]) ** 2 / D
    found = vicreg(*views())
    assert [term.item() for term in found] == pytest.approx([invariance, variance, covariance])
    assert variance > 0


def test_equal_whitened_views_cost_nothing():
    z = signs(D)
    assert [term.item() for term in vicreg(z, z)] == pytest.approx([0, 0, 0], abs=1e-12)


def test_constant_embeddings_cost_the_whole_hinge():
    constant = torch.full((N, D), 3.0, dtype=torch.float64)
    assert variance_hinge(constant).item() == pytest.approx(1 - 0.01)  # gamma - sqrt(eps)
    assert variance_hinge(constant, gamma=2.0, eps=0.25).item() == pytest.approx(1.5)
    assert [term.item() for term in vicreg(constant, constant)] == pytest.approx([0, 1.98, 0])


def test_the_variance_is_the_unbiased_one_and_more_than_gamma_costs_nothing():
    """Signs of n rows have variance n / (n - 1); scaled to s they cost 1 - s sqrt(n / (n - 1)), at least 0."""
    z, n = signs(3), 8
    assert variance_hinge(0.5 * z, eps=0.0).item() == pytest.approx(1 - 0.5 * math.sqrt(n / (n - 1)))
    assert variance_hinge(5 * z).item() == 0
    one_dead = z * torch.tensor([1, 1, 0])
    assert variance_hinge(one_dead).item() == pytest.approx(0.99 / 3)


def test_equal_features_cost_their_variance_squared():
    z = views()[0][:, :1]
    expected = (D - 1) * z.var().item() ** 2  # D (D - 1) pairs over D
    assert covariance_penalty(z.expand(-1, D)).item() == pytest.approx(expected)
    assert covariance_penalty(-z.expand(-1, D) + 7).item() == pytest.approx(expected)


def test_a_shift_between_the_views_costs_its_mean_square_and_nothing_else():
    first, _ = views()
    shift = torch.tensor([1.0, 2.0, 3.0, 4.0])
    plain, moved = vicreg(first, first), vicreg(first, first + shift)
    assert moved.invariance.item() == pytest.approx((1 + 4 + 9 + 16) / 4)
    torch.testing.assert_close(moved[1:], plain[1:])


def test_order_of_images_features_and_views_changes_nothing():
    first, second = views()
    expected, images, features = vicreg(first, second), torch.randperm(N), torch.randperm(D)
    torch.testing.assert_close(vicreg(first[images], second[images]), expected)
    torch.testing.assert_close(vicreg(first[:, features], second[:, features]), expected)
    torch.testing.assert_close(vicreg(second, first), expected)
    apart = vicreg(first, second[images.roll(1)])
    torch.testing.assert_close(apart[1:], expected[1:])  # only the invariance knows who belongs to whom
    assert not torch.allclose(apart.invariance, expected.invariance)


def test_the_gradient_is_that_of_the_formula_by_hand():
    first, second = (view.requires_grad_() for view in views(1, size=0.9))
    terms = vicreg(first, second)
    found = torch.autograd.grad(25 * terms.invariance + 20 * terms.variance + 2 * terms.covariance, (first, second))
    plain = [view.detach() for view in (first, second)]
    for gradient, z, other in zip(found, plain, plain[::-1]):
        centred, deviation = z - z.mean(0), (z.var(0) + 1e-4).sqrt()
        assert 0 < (deviation < 1).sum() < D, "the hinge has to be seen open and closed"
        matrix = centred.T @ centred / (N - 1)
        of_invariance = 2 * (z - other) / (N * D)
        of_variance = -centred / ((N - 1) * deviation) * (deviation < 1) / D
        of_covariance = 4 / (D * (N - 1)) * centred @ (matrix - matrix.diagonal().diag())
        torch.testing.assert_close(gradient, 25 * of_invariance + 20 * of_variance + 2 * of_covariance)
