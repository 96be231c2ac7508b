"""Barlow Twins: the method's loss against the pure one, its head, and what scaling the loss does under LARS."""

import copy

import pytest
import torch
from methods.tools import LinearEncoder, batch, progress
from torch import Tensor, nn

from pipelines.losses.barlow_twins import barlow_twins
from pipelines.methods.barlow_twins import BarlowTwins, build
from pipelines.methods.base import DataFacts
from pipelines.spec.methods.barlow_twins import Options
from pipelines.spec.training import Training
from pipelines.training.optimizers import build_optimizer, parameter_groups


def small(**options) -> BarlowTwins:
    torch.manual_seed(0)
    given = Options(**{"dim": 6, "hidden": 12, **options})
    return build(given, lambda: LinearEncoder(10, nn.Linear(10, 10)), DataFacts(64, 4, 16))


def views() -> list[Tensor]:
    return list(torch.randn(2, 16, 10, generator=torch.Generator().manual_seed(1)))


def test_the_loss_is_the_weighted_sum_of_the_pure_terms():
    method = small(off_diagonal=0.02, loss_scale=0.5)
    on, off = barlow_twins(*(method.projector(method.encoder(view)) for view in views()))
    output = method.loss(views(), batch(16), progress())
    torch.testing.assert_close(output.loss, 0.5 * (on + 0.02 * off))
    assert output.scalars["on_diagonal"].item() == pytest.approx(on.item())
    assert output.scalars["off_diagonal"].item() == pytest.approx(off.item())


def test_the_projector_is_the_papers():
    kinds = [type(layer) for layer in small().projector]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU] * 2 + [nn.Linear]
    assert all(layer.bias is None for layer in small().projector if isinstance(layer, nn.Linear))


def test_the_views_are_two_different_ones():
    first, second = Options().default_views(224).kinds
    assert (first.blur, first.solarize, second.blur, second.solarize) == (1.0, 0.0, 0.1, 0.2)
    assert {first.interpolation, second.interpolation} == {"bicubic"}
    assert [view.blur for view in Options().default_views(32).kinds] == [0.0, 0.0]


def trained(method: BarlowTwins, weights_lr: float, others_lr: float) -> dict[str, Tensor]:
    """Weights after three steps of LARS without decay."""
    training = Training(optimizer="lars", weight_decay=0.0, decay_norm_and_bias=False)
    groups = [
        {**group, "lr_scale": weights_lr if group["adapt"] else others_lr}
        for group in parameter_groups(method, training)
    ]
    optimizer = build_optimizer(groups, training, 1.0)
    for step in range(3):
        optimizer.zero_grad()
        method.loss(views(), batch(16), progress(step)).loss.backward()
        optimizer.step()
    return dict(method.named_parameters())


def test_scaling_the_loss_is_another_rate_for_norms_and_biases():
    """The paper's rates 0.2 and 0.0048 are one rate 0.2 and a loss times 0.024: LARS' weights forget the scale."""
    scaled = small(loss_scale=0.024)
    plain = copy.deepcopy(scaled)
    plain.options = plain.options.model_copy(update={"loss_scale": 1.0})
    one, other = trained(scaled, 0.2, 0.2), trained(plain, 0.2, 0.0048)
    for name, parameter in one.items():
        torch.testing.assert_close(parameter, other[name], msg=name)
