import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.feature_transform import (
    draw_negative_lambda,
    draw_positive_lambda,
    draw_symmetric_beta,
    extrapolate_positives,
    interpolate_negatives,
    interpolate_scores,
)
from pipelines.losses.info_nce import info_nce, info_nce_from_scores, logits, scores
from pipelines.losses.queue import enqueue


@both_precisions
@pytest.mark.parametrize("variant", ["scalar_posneg", "dim_posneg", "dim_pos", "dim_neg", "without"])
def test_reference_logits_loss_and_gradients(dtype, variant):
    given, expected = tensors("moco_ft", dtype), load("moco_ft")
    raw = given["q_raw"].requires_grad_()
    q = F.normalize(raw, dim=1)
    q.retain_grad()
    kind, temperature = variant.split("_")[0], given["T"].item()
    anchor, positive, negatives = q, given["k"], given["queue"]
    if "pos" in variant:
        anchor, positive = extrapolate_positives(q, given["k"], given[f"{kind}_lambda_ex"])
    if "neg" in variant:
        negatives = interpolate_negatives(negatives, given["perm"], given[f"{kind}_lambda_in"])
    result = info_nce(anchor, positive, negatives, temperature)
    if variant == "without":
        assert_close(result.loss, expected["loss_without_ft"], dtype)
        return
    result.loss.backward()
    assert_close(logits(result.positive, result.negative, temperature), expected[f"{variant}_logits"], dtype)
    assert_close(result.loss, expected[f"{variant}_loss"], dtype)
    assert_close(q.grad, expected[f"{variant}_grad_q"], dtype)
    assert_close(raw.grad, expected[f"{variant}_grad_q_raw"], dtype)


@both_precisions
def test_queue_receives_the_original_keys(dtype):
    given, expected = tensors("moco_ft", dtype), load("moco_ft")
    queue, pointer = given["queue"], torch.tensor(0)
    interpolate_negatives(queue, given["perm"], given["scalar_lambda_in"])
    enqueue(queue, pointer, given["k"])
    assert_close(queue, expected["queue_after"], dtype)
    assert_close(pointer, expected["ptr_after"], dtype)


@both_precisions
@pytest.mark.parametrize("variant", ["scalar_posneg"])
def test_mixing_scores_gives_the_reference_as_well(dtype, variant):
    given, expected = tensors("moco_ft", dtype), load("moco_ft")
    raw = given["q_raw"].requires_grad_()
    anchor, key = extrapolate_positives(F.normalize(raw, dim=1), given["k"], given["scalar_lambda_ex"])
    positive, negative = scores(anchor, key, given["queue"])
    mixed = interpolate_scores(negative, given["perm"], given["scalar_lambda_in"])
    loss = info_nce_from_scores(positive, mixed, given["T"].item())
    loss.backward()
    assert_close(loss, expected[f"{variant}_loss"], dtype)
    assert_close(raw.grad, expected[f"{variant}_grad_q_raw"], dtype)


def unit_rows(count: int, dim: int, seed: int) -> torch.Tensor:
    rows = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(rows, dim=1)


@settings(max_examples=50, deadline=None)
@hypothesis_given(weight=st.floats(1, 2), seed=st.integers(0, 2**31), per_row=st.booleans())
def test_extrapolated_score_in_closed_form(weight, seed, per_row):
    q, k = unit_rows(5, 7, seed), unit_rows(5, 7, seed + 1)
    scale = torch.full((5, 1) if per_row else (), weight, dtype=torch.float64)
    new_q, new_k = extrapolate_positives(q, k, scale)
    score = (q * k).sum(dim=1)
    expected = score + 2 * weight * (1 - weight) * (1 - score)
    torch.testing.assert_close((new_q * new_k).sum(dim=1), expected)
    torch.testing.assert_close(new_q.square().sum(dim=1), 1 + 2 * weight * (weight - 1) * (1 - score))
    assert (expected <= score + 1e-12).all()


def test_extrapolation_per_dimension_in_closed_form():
    q, k = unit_rows(5, 7, 0), unit_rows(5, 7, 1)
    weight = draw_positive_lambda(2.0, (5, 7), torch.Generator().manual_seed(0)).double()
    new_q, new_k = extrapolate_positives(q, k, weight)
    expected = (q * k).sum(dim=1) - (weight * (weight - 1) * (q - k).square()).sum(dim=1)
    torch.testing.assert_close((new_q * new_k).sum(dim=1), expected)


def test_gradient_of_the_positive_score_is_amplified():
    """Of unit q the part along q vanishes: what is left grows by 1 + 2 L (L - 1), in [1, 5]."""
    raw, k, weight = unit_rows(4, 6, 2).requires_grad_(), unit_rows(4, 6, 3), torch.tensor(1.7, dtype=torch.float64)
    q = F.normalize(raw, dim=1)
    (plain,) = torch.autograd.grad((q * k).sum(), raw, retain_graph=True)
    new_q, new_k = extrapolate_positives(q, k, weight)
    (harder,) = torch.autograd.grad((new_q * new_k).sum(), raw)
    torch.testing.assert_close(harder, (1 + 2 * 1.7 * 0.7) * plain)


@pytest.mark.parametrize("shape", [(), (50, 1), (50, 8), (1, 8)])
def test_mixed_negatives_are_the_weighted_sum(shape):
    negatives, generator = unit_rows(50, 8, 4), torch.Generator().manual_seed(1)
    kept = negatives.clone()
    order = torch.randperm(50, generator=generator)
    weight = draw_negative_lambda(1.6, shape, generator)
    mixed = interpolate_negatives(negatives, order, weight)
    expected = weight.double() * negatives + (1 - weight.double()) * negatives[order]
    torch.testing.assert_close(mixed, expected, rtol=1e-6, atol=1e-7)
    assert torch.equal(negatives, kept)


@pytest.mark.parametrize("shape", [(), (50, 1)])
def test_scores_mix_like_vectors(shape):
    negatives, generator = unit_rows(50, 8, 5), torch.Generator().manual_seed(2)
    order, q = torch.randperm(50, generator=generator), unit_rows(6, 8, 6).requires_grad_()
    weight = draw_negative_lambda(1.6, shape, generator).double()
    by_vectors = q @ interpolate_negatives(negatives, order, weight).T
    by_scores = interpolate_scores(q @ negatives.T, order, weight)
    torch.testing.assert_close(by_scores, by_vectors)
    upstream = torch.randn(6, 50, generator=generator, dtype=torch.float64)
    gradients = [torch.autograd.grad((value * upstream).sum(), q)[0] for value in (by_scores, by_vectors)]
    torch.testing.assert_close(*gradients)


def test_gradient_reaches_negatives_that_want_it():
    """In-batch negatives are no buffer: n_j gets weight from itself and 1 - weight from the one it is mixed into."""
    negatives, order = unit_rows(4, 3, 7).requires_grad_(), torch.tensor([2, 0, 3, 1])
    upstream = unit_rows(4, 3, 8)
    mixed = interpolate_negatives(negatives, order, torch.tensor(0.3, dtype=torch.float64))
    (gradient,) = torch.autograd.grad((mixed * upstream).sum(), negatives)
    torch.testing.assert_close(gradient, 0.3 * upstream + 0.7 * upstream[torch.argsort(order)])


def test_weight_one_is_no_transformation():
    q, k, one = unit_rows(5, 7, 9), unit_rows(5, 7, 10), torch.ones((), dtype=torch.float64)
    assert all(torch.equal(*pair) for pair in zip(extrapolate_positives(q, k, one), (q, k), strict=True))
    assert torch.equal(interpolate_negatives(q, torch.tensor([1, 2, 3, 4, 0]), one), q)


def test_scores_cannot_be_mixed_per_dimension():
    with pytest.raises(AssertionError, match="one weight a negative"):
        interpolate_scores(torch.zeros(2, 5), torch.arange(5), torch.zeros(5, 3))


def test_weights_of_a_doubtful_shape_are_noticed():
    with pytest.raises(AssertionError, match="rows, dimensions"):
        interpolate_negatives(torch.zeros(5, 5), torch.arange(5), torch.zeros(5))


DRAWS = 200_000


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.4999, 0.5, 0.5001, 1.0, 1.6, 2.0, 50.0])
def test_draws_follow_the_beta_distribution(alpha):
    scipy_stats = pytest.importorskip("scipy.stats")
    found = draw_symmetric_beta(alpha, (DRAWS,), torch.Generator().manual_seed(11))
    assert found.dtype == torch.float32
    assert found.min() >= 0
    assert found.max() <= 1
    inner = found[(found > 1e-6) & (found < 1 - 1e-6)].double().numpy()  # float32 cannot resolve the ends near 1
    law = scipy_stats.beta(alpha, alpha)
    low, high = law.cdf(1e-6), law.cdf(1 - 1e-6)
    assert len(inner) / DRAWS == pytest.approx(high - low, abs=0.005)
    assert scipy_stats.kstest(inner, lambda x: (law.cdf(x) - low) / (high - low)).statistic < 2 / math.sqrt(len(inner))


@pytest.mark.parametrize("alpha", [0.2, 2.0])
def test_moments_of_the_positive_weight(alpha):
    weight = draw_positive_lambda(alpha, (DRAWS,), torch.Generator().manual_seed(12)).double()
    assert weight.min() >= 1
    assert weight.max() <= 2
    assert weight.mean().item() == pytest.approx(1.5, abs=0.005)
    assert weight.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.02)
    c = 2 * weight * (weight - 1)
    assert c.mean().item() == pytest.approx(1.5 + 1 / (2 * (2 * alpha + 1)), abs=0.02)


def test_moments_of_the_negative_weight():
    weight = draw_negative_lambda(1.6, (DRAWS,), torch.Generator().manual_seed(13)).double()
    assert (2 * weight * (1 - weight)).mean().item() == pytest.approx(1.6 / (2 * 1.6 + 1), abs=0.002)


@pytest.mark.parametrize("alpha", [0.2, 1.6])
def test_draws_come_from_the_generator_alone(alpha):
    first = draw_symmetric_beta(alpha, (3, 4), torch.Generator().manual_seed(5))
    torch.rand(7)  # the global generator has no part in it
    assert torch.equal(first, draw_symmetric_beta(alpha, (3, 4), torch.Generator().manual_seed(5)))
    assert not torch.equal(first, draw_symmetric_beta(alpha, (3, 4), torch.Generator().manual_seed(6)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("alpha", [0.2, 1.6])
def test_draws_and_mixing_on_the_device_of_the_generator(alpha):
    generator = torch.Generator("cuda").manual_seed(5)
    weight = draw_symmetric_beta(alpha, (), generator)
    negatives, order = unit_rows(50, 8, 4), torch.randperm(50)
    mixed = interpolate_negatives(negatives.cuda(), order.cuda(), weight)
    assert weight.is_cuda
    assert mixed.is_cuda
    torch.testing.assert_close(mixed.cpu(), interpolate_negatives(negatives, order, weight.cpu()))
