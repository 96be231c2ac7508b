"""VICReg: the method's loss against the pure terms, and its expander."""

import pytest
import torch
from methods.tools import LinearEncoder, batch, progress
from torch import Tensor, nn

from pipelines.losses.vicreg import vicreg
from pipelines.methods.base import DataFacts
from pipelines.methods.vicreg import VICReg, build
from pipelines.spec.methods.vicreg import Options


def small(**options) -> VICReg:
    torch.manual_seed(0)
    given = Options(**{"dim": 6, "hidden": 12, **options})
    return build(given, lambda: LinearEncoder(10, nn.Linear(10, 10)), DataFacts(64, 4, 16))


def views() -> list[Tensor]:
    return list(torch.randn(2, 16, 10, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(("scale", "hinge"), [("paper", 4.0), ("code", 2.0)])
def test_the_loss_is_the_weighted_sum_of_the_pure_terms(scale, hinge):
    method = small(invariance=3.0, variance=4.0, covariance=0.5, scale=scale)
    terms = vicreg(*(method.expander(method.encoder(view)) for view in views()))
    output = method.loss(views(), batch(16), progress())
    torch.testing.assert_close(output.loss, 3 * terms.invariance + hinge * terms.variance + 0.5 * terms.covariance)
    for name, term in terms._asdict().items():
        assert output.scalars[name].item() == pytest.approx(term.item())


def test_the_expander_is_the_released_one():
    layers = list(small().expander)
    assert [type(layer) for layer in layers] == [nn.Linear, nn.BatchNorm1d, nn.ReLU] * 2 + [nn.Linear]
    assert [layer.bias is not None for layer in layers if isinstance(layer, nn.Linear)] == [True, True, False]


def test_the_views_are_those_of_the_released_code():
    first, second = Options().default_views(224).kinds
    assert (first.blur, first.solarize, second.blur, second.solarize) == (1.0, 0.0, 0.1, 0.2)
    assert {first.interpolation, second.interpolation} == {"bicubic"}
