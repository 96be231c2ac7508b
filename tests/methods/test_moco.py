"""MoCo: whole training steps of the released code, the queue, and feature transformation inside the method."""

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from torch import nn

from pipelines.losses.feature_transform import draw_positive_lambda
from pipelines.methods.base import DataFacts
from pipelines.methods.heads import mlp
from pipelines.methods.moco import MoCo, build
from pipelines.spec.methods.moco import Options
from pipelines.spec.methods.parts import Extrapolation, FeatureTransform


def train(method: MoCo, first: torch.Tensor, second: torch.Tensor, lr: float, momentum: float, decay: float):
    """One optimizer step a row of ``first`` and ``second``; yields the output of each."""
    optimizer = torch.optim.SGD(
        [p for p in method.parameters() if p.requires_grad], lr=lr, momentum=momentum, weight_decay=decay
    )
    for step, views in enumerate(zip(first, second)):
        output = method.loss(list(views), batch(len(views[0])), progress(step))
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        method.after_step(progress(step))
        yield step, output


@both_precisions
@pytest.mark.parametrize("version", [1, 2])
def test_six_steps_are_those_of_the_released_code(version, dtype):
    name = f"moco_trajectory_v{version}"
    x, expected = tensors(name, dtype), load(name)
    dim, size = x["queue_init"].shape
    options = Options(version=version, temperature=float(x["T"]), momentum=float(x["m"]), queue_size=size, dim=dim)
    width = x["x_q"].shape[-1]
    head = mlp([width, dim] if version == 1 else [width, width, dim])
    names = ["fc.weight", "fc.bias"] if version == 1 else ["fc.0.weight", "fc.0.bias", "fc.2.weight", "fc.2.bias"]
    for parameter, key in zip(head.parameters(), names):
        parameter.data.copy_(x[f"init_{key}"])
    method = MoCo(options, LinearEncoder(width), head).to(dtype)
    method.queue.copy_(x["queue_init"].T)
    rates = float(x["lr"]), float(x["sgd_momentum"]), float(x["weight_decay"])
    for step, output in train(method, x["x_q"], x["x_k"], *rates):
        assert_close(output.loss, expected["loss"][step], dtype)
        scores = torch.cat([output.watched["positive_scores"][:, None], output.watched["negative_scores"]], dim=1)
        assert_close(scores / options.temperature, expected["logits"][step], dtype)
        assert_close(method.queue.T, expected["queue_after"][step], dtype)
        assert int(method.pointer) == expected["ptr_after"][step]
        for part, prefix in ((method.head, "q_after"), (method.key_head, "k_after")):
            for parameter, key in zip(part.parameters(), names):
                assert_close(parameter, expected[f"{prefix}_{key}"][step], dtype)


@both_precisions
def test_the_symmetric_form_sums_both_directions_and_enqueues_both_views(dtype):
    x, expected = tensors("moco_symmetric", dtype), load("moco_symmetric")
    dim, size = x["queue_init"].shape
    options = Options(temperature=float(x["T"]), momentum=float(x["m"]), queue_size=size, dim=dim, symmetric=True)
    head = nn.Linear(x["x_1"].shape[-1], dim)
    head.weight.data.copy_(x["init_weight"])
    head.bias.data.copy_(x["init_bias"])
    method = MoCo(options, LinearEncoder(head.in_features), head).to(dtype)
    method.queue.copy_(x["queue_init"].T)
    rates = float(x["lr"]), float(x["sgd_momentum"]), float(x["weight_decay"])
    for step, output in train(method, x["x_1"], x["x_2"], *rates):
        assert_close(output.loss, expected["loss"][step], dtype)
        assert_close(method.queue.T, expected["queue_after"][step], dtype)
        assert_close(method.head.weight, expected["q_weight_after"][step], dtype)
        assert_close(method.key_head.weight, expected["k_weight_after"][step], dtype)


def small(**options) -> MoCo:
    torch.manual_seed(0)
    return MoCo(Options(queue_size=32, dim=6, **options), LinearEncoder(10), nn.Linear(10, 6))


def views(count: int = 8) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return list(torch.randn(2, count, 10, generator=generator))


def test_a_key_is_never_among_its_own_negatives():
    method, pair = small(), views()
    before = method.queue.clone()
    output = method.loss(pair, batch(8), progress())
    q = F.normalize(method.head(pair[0]), dim=1)
    torch.testing.assert_close(output.watched["negative_scores"], q @ before.T)
    assert torch.equal(method.queue, before)  # until the step is done
    method.after_step(progress())
    assert not torch.equal(method.queue[:8], before[:8])
    assert torch.equal(method.queue[8:], before[8:])


def test_extrapolation_lowers_the_positive_score_by_its_closed_form():
    transform = FeatureTransform(positive=Extrapolation(alpha=2.0), negative=None)
    method, pair, now = small(feature_transform=transform), views(), progress(3)
    output = method.loss(pair, batch(8), now)
    score = (F.normalize(method.head(pair[0]), dim=1) * F.normalize(method.key_head(pair[1]), dim=1)).sum(1)
    drawn = draw_positive_lambda(2.0, (), progress(3).generator)
    torch.testing.assert_close(output.watched["positive_scores"], score + 2 * drawn * (1 - drawn) * (1 - score))


def test_transformation_waits_for_its_start_epoch():
    plain, later = small(), small(feature_transform=FeatureTransform(start_epoch=1.0))
    first = [method.loss(views(), batch(8), progress(epoch=0.5)).loss for method in (plain, later)]
    assert torch.equal(*first)
    assert not torch.equal(
        plain.loss(views(), batch(8), progress(epoch=1.0)).loss, later.loss(views(), batch(8), progress(epoch=1.0)).loss
    )


def test_mixed_vectors_never_enter_the_queue():
    plain, mixed = small(), small(feature_transform=FeatureTransform())
    for method in (plain, mixed):
        method.loss(views(), batch(8), progress())
        method.after_step(progress())
    assert torch.equal(plain.queue, mixed.queue)


def test_negatives_that_meet_the_original_query_ignore_the_extrapolation():
    transform = FeatureTransform(negative=None, negatives_meet="original")
    scores = [
        m.loss(views(), batch(8), progress()).watched["negative_scores"]
        for m in (small(), small(feature_transform=transform))
    ]
    torch.testing.assert_close(*scores)


def test_renormalised_vectors_have_cosines_as_scores():
    method = small(feature_transform=FeatureTransform(renormalise="both"))
    watched = method.loss(views(), batch(8), progress()).watched
    assert watched["positive_scores"].abs().max() <= 1 + 1e-6
    assert watched["negative_scores"].abs().max() <= 1 + 1e-6


def test_version_one_has_its_own_temperature_unless_given():
    assert Options(version=1).temperature == 0.07
    assert Options(version=1, temperature=0.2).temperature == 0.2
    assert Options(version=2).temperature == 0.2


def test_scores_that_no_monitor_reads_change_neither_loss_nor_gradient():
    import dataclasses

    results = []
    for watching in (True, False):
        method = small(feature_transform=FeatureTransform())
        output = method.loss(views(), batch(8), dataclasses.replace(progress(), watching=watching))
        output.loss.backward()
        results.append((output.loss.detach(), method.head.weight.grad, output.watched["negative_scores"].shape))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert (results[0][2], results[1][2]) == ((8, 32), (8, 0))


@pytest.mark.parametrize(("version", "head", "layers"), [(1, None, 1), (2, None, 2), (1, "mlp", 2), (2, "linear", 1)])
def test_the_head_goes_with_the_version_unless_given(version, head, layers):
    options = Options(version=version, head=head, queue_size=8, dim=6)
    method = build(options, lambda: LinearEncoder(10), DataFacts(64, 4, 16))
    assert sum(isinstance(part, nn.Linear) for part in method.head) == layers
    assert method.head(torch.randn(8, 10)).shape == (8, 6)


def test_the_hidden_layer_is_as_wide_as_told():
    options = Options(queue_size=8, dim=6, hidden=20)
    method = build(options, lambda: LinearEncoder(10), DataFacts(64, 4, 16))
    assert [part.out_features for part in method.head if isinstance(part, nn.Linear)] == [20, 6]
    assert "hidden" not in Options().model_dump()


@pytest.mark.parametrize(("step", "expected"), [(0, 0.99), (5, 0.9945), (10, 0.999)])
def test_the_momentum_ends_where_told_by_a_cosine(step, expected):
    method = small(momentum=0.99, final_momentum=0.999)
    before = method.key_head.weight.clone()
    with torch.no_grad():
        method.head.weight.add_(1.0)
    method.loss(views(), batch(8), progress(step))
    torch.testing.assert_close(
        method.key_head.weight - before, torch.full_like(before, 1 - expected), atol=1e-6, rtol=1e-4
    )
    assert "final_momentum" not in Options().model_dump()
