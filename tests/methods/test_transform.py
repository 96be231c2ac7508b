"""Switches of feature transformation against closed forms, and the controls that tell hardness from rescaling."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from pipelines.losses.feature_transform import draw_negative_lambda, draw_positive_lambda
from pipelines.methods.base import Progress
from pipelines.methods.transform import (
    kept_scores,
    starts,
    strength,
    transformed_negatives,
    transformed_pair,
    transformed_scores,
)
from pipelines.spec.methods.instdisc import Options as InstDisc
from pipelines.spec.methods.parts import Extrapolation, FeatureTransform, Interpolation

ROWS, DIM = 6, 5


def unit(rows: int = ROWS, seed: int = 0) -> Tensor:
    made = torch.randn(rows, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return F.normalize(made, dim=1)


def at(epoch: float = 0.0, seed: int = 3) -> Progress:
    return Progress(1, 10, epoch, 4, torch.Generator().manual_seed(seed))


def positive(**options: Any) -> FeatureTransform:
    return FeatureTransform(positive=Extrapolation(**options), negative=None, negatives_meet="original")


def negative(renormalise: Any = "none", **options: Any) -> FeatureTransform:
    return FeatureTransform(positive=None, negative=Interpolation(**options), renormalise=renormalise)


@pytest.mark.parametrize(("epoch", "on"), [(0.9, False), (1.0, True), (2.9, True), (3.0, False)])
def test_it_is_on_from_its_start_to_its_end(epoch, on):
    options = FeatureTransform(start_epoch=1.0, end_epoch=3.0)
    assert starts(options, at(epoch)) is (options if on else None)


def test_the_factors_ramp_up_from_no_change():
    options = FeatureTransform(start_epoch=1.0, ramp_epochs=2.0)
    assert [strength(options, at(epoch)) for epoch in (1.0, 1.5, 3.0, 4.0)] == [0, 0.25, 1, 1]
    assert strength(FeatureTransform(), at(0.0)) == 1
    q, k, queue = unit(), unit(seed=1), unit(9, seed=2)
    for far, plain in zip(transformed_pair(options, q, k, at(1.0)), (q, k), strict=True):
        torch.testing.assert_close(far, plain)
    torch.testing.assert_close(transformed_negatives(options, queue, at(1.0)), queue)
    half = 1 + (draw_positive_lambda(2.0, (), at().generator) - 1) / 2
    torch.testing.assert_close(transformed_pair(options, q, k, at(2.0))[0], half * q + (1 - half) * k)


@pytest.mark.parametrize(
    ("granularity", "shape"), [("vector", (1, DIM)), ("sample", (ROWS, 1)), ("dimension", (ROWS, DIM))]
)
def test_the_positive_score_is_that_of_the_papers_sum_over_dimensions(granularity, shape):
    """S - sum_d L_d (L_d - 1) (q_d - k_d)^2, whatever shares one L."""
    q, k = unit(), unit(seed=1)
    far_q, far_k = transformed_pair(positive(granularity=granularity), q, k, at())
    weight = draw_positive_lambda(2.0, shape, at().generator).double()
    expected = (q * k).sum(1) - (weight * (weight - 1) * (q - k) ** 2).sum(1)
    torch.testing.assert_close((far_q * far_k).sum(1), expected)


@pytest.mark.parametrize(
    ("granularity", "shape"), [("batch", ()), ("vector", (1, DIM)), ("row", (9, 1)), ("dimension", (9, DIM))]
)
def test_negatives_are_mixed_by_weights_of_their_granularity(granularity, shape):
    queue, now = unit(9), at()
    weight = draw_negative_lambda(1.6, shape, now.generator).double()
    order = torch.randperm(9, generator=now.generator)
    expected = weight * queue + (1 - weight) * queue[order]
    torch.testing.assert_close(transformed_negatives(negative(granularity=granularity), queue, at()), expected)
    union = transformed_negatives(negative(granularity=granularity, queue="union"), queue, at())
    torch.testing.assert_close(union, torch.cat([queue, expected]))


def test_length_keeps_the_direction_and_renormalising_keeps_the_mix():
    queue = unit(9)
    mixed = transformed_negatives(negative(), queue, at())
    shorter = transformed_negatives(negative(keeps="length"), queue, at())
    torch.testing.assert_close(shorter.norm(dim=1), mixed.norm(dim=1))
    torch.testing.assert_close(F.normalize(shorter, dim=1), queue)
    torch.testing.assert_close(transformed_negatives(negative("negatives"), queue, at()), F.normalize(mixed, dim=1))


def test_each_side_is_put_back_on_the_sphere_on_its_own():
    q, k, queue = unit(), unit(seed=1), unit(9, seed=2)
    for which, lengths in {"none": (False, False), "positives": (True, False), "negatives": (False, True)}.items():
        options = FeatureTransform(renormalise=which)
        pair, mixed = transformed_pair(options, q, k, at()), transformed_negatives(options, queue, at())
        assert torch.allclose(pair[0].norm(dim=1), torch.ones(()).double()) == lengths[0]
        assert torch.allclose(mixed.norm(dim=1), torch.ones(()).double()) == lengths[1]


def test_mixed_scores_are_those_of_mixed_vectors():
    q, queue = unit(), unit(9, seed=2)
    for queue_form in ("interpolated", "union"):
        options = negative(queue=queue_form)
        expected = q @ transformed_negatives(options, queue, at()).T
        torch.testing.assert_close(transformed_scores(options, q @ queue.T, at()), expected)


@pytest.mark.parametrize("keeps", ["both", "hardness", "gain"])
def test_the_controls_split_the_lower_score_from_the_larger_gradient(keeps):
    """Of unit rows: the score falls to S - c (1 - S), the gradient is (1 + c) times the plain one; c = 2 L (L - 1)."""
    q, k = unit().requires_grad_(), unit(seed=1)
    options = positive(keeps=keeps, granularity="sample")
    far_q, far_k = transformed_pair(options, q, k, at())
    plain = (q * k).sum(1)
    kept = kept_scores(options, (far_q * far_k).sum(1), plain)
    weight = draw_positive_lambda(2.0, (ROWS, 1), at().generator).squeeze(1).double()
    c = 2 * weight * (weight - 1)
    torch.testing.assert_close(kept, plain if keeps == "gain" else plain - c * (1 - plain))
    (slope,) = torch.autograd.grad(kept.sum(), q)
    tangent = slope - (slope * q).sum(1, keepdim=True) * q  # what is left after q has been made a unit row
    plain_tangent = k - (k * q).sum(1, keepdim=True) * q
    gain = torch.ones(ROWS).double() if keeps == "hardness" else 1 + c
    torch.testing.assert_close(tangent, gain[:, None] * plain_tangent)


def test_without_its_gradient_the_key_is_a_constant():
    q, k = unit().requires_grad_(), unit(seed=1)
    for through in (True, False):
        _, far_k = transformed_pair(positive(key_gradient=through), q, k, at())
        assert far_k.requires_grad == through


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positive": Extrapolation(keeps="gain")}, "set negatives_meet: original"),
        ({"start_epoch": 2.0, "end_epoch": 2.0}, "end_epoch 2 must lie after start_epoch 2"),
        ({"positive": None, "negative": None}, "both off"),
        ({"positive": None, "renormalise": "both"}, "the positive side is off"),
        ({"negative": None, "renormalise": "negatives"}, "the negative side is off"),
        ({"negative": Interpolation(keeps="length"), "renormalise": "both"}, "renormalise takes back"),
    ],
)
def test_what_has_no_meaning_is_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        FeatureTransform(**options)


def test_a_loss_without_a_softmax_over_drawn_negatives_refuses_it():
    with pytest.raises(ValidationError, match="not loss: nce; set loss: info_nce"):
        InstDisc(feature_transform=FeatureTransform())
    with pytest.raises(ValidationError, match="InstDisc mixes the scores of its negatives"):
        InstDisc(loss="info_nce", feature_transform=negative("negatives"))
