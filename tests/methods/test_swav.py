"""SwAV: the released step through the method, its queue, frozen prototypes, and extrapolation of the positive side."""

import math

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from torch import nn

from pipelines.errors import InputError
from pipelines.losses.sinkhorn import sinkhorn
from pipelines.methods.swav import SwAV
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.methods.parts import Crops, Extrapolation, FeatureTransform, Interpolation
from pipelines.spec.methods.swav import Options
from pipelines.spec.training import Training


def released(dtype: torch.dtype, queue: str | None) -> tuple[SwAV, torch.Tensor]:
    """The fixture's method, and its projector outputs as the views."""
    given = tensors("swav_step", dtype)
    dim, length = given["queue"].shape[2], given["queue"].shape[1]
    options = Options(
        prototypes=len(given["prototypes"]),
        dim=dim,
        temperature=float(given["temperature"]),
        epsilon=float(given["epsilon"]),
        sinkhorn_iterations=int(given["n_iters"]),
        queue_size=length if queue else 0,
        queue_start_epoch=15,
    )
    method = SwAV(options, LinearEncoder(dim), nn.Identity()).to(dtype)
    method.prototypes.weight.data.copy_(given["prototypes"])
    if queue:
        method.queue.copy_(given[queue])
    return method, given["features"].requires_grad_()


def stepped(method: SwAV, features: torch.Tensor, epoch: float) -> torch.Tensor:
    count = int(load("swav_step")["batch_size"])
    output = method.loss(list(features.split(count)), batch(count), progress(epoch=epoch))
    output.loss.backward()
    method.after_step(progress(epoch=epoch))
    return output.loss


@both_precisions
def test_a_step_without_queue_is_the_released_one(dtype):
    expected, (method, features) = load("swav_step"), released(dtype, None)
    assert_close(stepped(method, features, 15), expected["loss"], dtype)
    assert_close(method.prototypes.weight, expected["prototypes_normalized"], dtype)
    assert_close(features.grad, expected["grad_features"], dtype)
    assert_close(method.prototypes.weight.grad, expected["grad_prototypes"], dtype)


@both_precisions
def test_a_step_with_a_full_queue_is_the_released_one(dtype):
    expected, (method, features) = load("swav_step"), released(dtype, "queue")
    assert_close(stepped(method, features, 15), expected["loss_queue"], dtype)
    assert_close(features.grad, expected["grad_features_queue"], dtype)
    assert_close(method.queue, expected["queue_out"], dtype)


@both_precisions
def test_a_queue_that_is_not_full_is_fed_but_not_used(dtype):
    expected, (method, features) = load("swav_step"), released(dtype, "queue_partial")
    assert_close(stepped(method, features, 15), expected["loss_queue_partial"], dtype)
    assert_close(method.queue, expected["queue_partial_out"], dtype)


def test_a_queue_is_neither_used_nor_fed_before_its_epoch():
    expected, (method, features) = load("swav_step"), released(torch.float64, "queue")
    before = method.queue.clone()
    assert_close(stepped(method, features, 14.9), expected["loss"], torch.float64)
    assert torch.equal(method.queue, before)


def test_prototypes_are_frozen_at_first_and_no_decay_moves_them():
    method, features = released(torch.float64, None)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1, weight_decay=0.5)
    stepped(method, features, 0.99)
    before = method.prototypes.weight.clone()
    optimizer.step()
    assert method.prototypes.weight.grad is None
    assert torch.equal(method.prototypes.weight, before)
    stepped(method, features, 1.0)
    optimizer.step()
    assert not torch.allclose(method.prototypes.weight, before)


def small(**options) -> SwAV:
    torch.manual_seed(0)
    return SwAV(Options(prototypes=7, dim=6, frozen_epochs=0.0, **options), LinearEncoder(10), nn.Linear(10, 6))


def views(count: int = 4, rows: int = 8) -> list[torch.Tensor]:
    return list(torch.randn(count, rows, 10, generator=torch.Generator().manual_seed(1)))


def test_equal_images_leave_only_chance():
    """Every row alike: codes are uniform by balance, whatever is predicted costs at least ln K."""
    alike = [torch.ones(8, 10)] * 3
    output = small(temperature=1e6).loss(alike, batch(8), progress())
    assert output.loss.item() == pytest.approx(math.log(7), rel=1e-4)
    assert output.scalars["code_entropy"].item() == pytest.approx(math.log(7), rel=1e-5)


def test_small_views_predict_but_have_no_codes():
    method, four = small(), views(4)
    codes = method.loss(four, batch(8), progress()).scalars["code_entropy"]
    assert torch.equal(method.loss([*four[:2], *views(6)[4:]], batch(8), progress()).scalars["code_entropy"], codes)
    swapped = method.loss([*four[:2], four[3], four[2]], batch(8), progress()).loss
    torch.testing.assert_close(swapped, method.loss(four, batch(8), progress()).loss)
    assert not torch.isclose(swapped, method.loss(four[:2], batch(8), progress()).loss)


def test_extrapolation_moves_the_predicting_view_alone():
    """With L concentrated at 1.5 every pair costs CE(q_i, softmax(C (1.5 z_v - 0.5 z_i) / T))."""
    transform = FeatureTransform(positive=Extrapolation(alpha=1e9), negative=None)
    method, three = small(feature_transform=transform), views(3)
    moved = method.loss(three, batch(8), progress()).loss
    (gradient,) = torch.autograd.grad(moved, method.head.weight)
    C = F.normalize(method.prototypes.weight, dim=1).detach()
    z = [F.normalize(method.head(view), dim=1) for view in three]
    terms = []
    for i in (0, 1):
        q = sinkhorn(z[i] @ C.T, 0.05, 3)
        for v in (v for v in range(3) if v != i):
            scores = (1.5 * z[v] - 0.5 * z[i].detach()) @ C.T
            terms.append(-(q * (scores / 0.1).log_softmax(1)).sum(1).mean())
    expected = torch.stack(terms).mean()
    torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient, *torch.autograd.grad(expected, method.head.weight), rtol=1e-3, atol=1e-4)
    assert moved > small().loss(three, batch(8), progress()).loss


def test_extrapolation_by_nothing_changes_nothing(monkeypatch):
    transform = FeatureTransform(positive=Extrapolation(), negative=None)
    monkeypatch.setattr("pipelines.losses.feature_transform.draw_positive_lambda", lambda *_: torch.ones(()))
    results = []
    for method in (small(), small(feature_transform=transform)):
        output = method.loss(views(), batch(8), progress())
        output.loss.backward()
        results.append((output.loss.detach(), method.head.weight.grad, method.prototypes.weight.grad))
    torch.testing.assert_close(*results)


def test_extrapolation_waits_for_its_start_epoch():
    late = small(feature_transform=FeatureTransform(negative=None, start_epoch=1.0))
    losses = [[m.loss(views(), batch(8), progress(epoch=e)).loss.item() for m in (small(), late)] for e in (0.5, 1.0)]
    assert losses[0][0] == losses[0][1]
    assert losses[1][0] != losses[1][1]


def test_what_does_not_go_together_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match="no negatives to interpolate"):
        Options(feature_transform=FeatureTransform(negative=Interpolation()))
    with pytest.raises(ValueError, match="3840 must be a multiple of batch_size 100; 3800 would do"):
        Options(queue_size=3840).check(Training(batch_size=100), ResNet(), None)
    with pytest.raises(ValueError, match="queue_start_epoch 15 must be less than epochs"):
        Options(queue_size=3840).check(Training(epochs=10), ResNet(), None)
    with pytest.raises(ValueError, match="local_scale must be"):
        Crops(local_scale=(0.5, 0.2))
    with pytest.raises(InputError, match="SwAV compares two full-size views"):
        small().loss(views(1), batch(8), progress())


@pytest.mark.parametrize(
    ("side", "kinds"), [(224, [(2, None), (6, 96)]), (16, [(2, None), (4, 8)]), (32, [(2, None), (4, 16)])]
)
def test_crops_follow_the_image(side, kinds):
    assert [(kind.count, kind.size) for kind in Options().default_views(side).augmentations] == kinds
    assert len(Options(crops=Crops(local=0)).default_views(side).kinds) == 2
    own = Crops(local=2, full_scale=(0.5, 1.0), local_scale=(0.3, 0.7))
    scales = [kind.scale for kind in Options(crops=own).default_views(16).kinds]
    assert scales == [(0.5, 1.0)] * 2 + [(0.3, 0.7)] * 2
