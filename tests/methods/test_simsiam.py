"""SimSiam: whole step of the released builder, where gradient may flow, and what the options change."""

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from pydantic import ValidationError
from torch import Tensor, nn

from pipelines.losses.feature_transform import draw_positive_lambda
from pipelines.methods.base import DataFacts
from pipelines.methods.heads import PlainNorm
from pipelines.methods.simsiam import SimSiam, build
from pipelines.spec.methods.parts import Extrapolation, FeatureTransform
from pipelines.spec.methods.simsiam import Options
from pipelines.spec.training import Training
from pipelines.training.optimizers import build_optimizer, parameter_groups, set_rates

PROJECTOR = {"proj_fc1": 0, "proj_bn1": 1, "proj_fc2": 3, "proj_bn2": 4, "proj_fc3": 6, "proj_bn3": 7}
PREDICTOR = {"pred_fc1": 0, "pred_bn": 1, "pred_fc2": 3}


@both_precisions
def test_a_step_is_that_of_the_released_builder(dtype):
    x, expected = tensors("simsiam_step", dtype), load("simsiam_step")
    (dim, width), hidden = x["proj_fc3_weight"].shape, len(x["pred_fc1_weight"])
    options = Options(dim=dim, predictor_hidden=hidden)
    method = build(options, lambda: LinearEncoder(width), DataFacts(64, 4, 16)).to(dtype)
    layers = {name: method.projector[i] for name, i in PROJECTOR.items()}
    layers |= {name: method.predictor[i] for name, i in PREDICTOR.items()}
    trained = {
        f"{name}_{key}": p for name, layer in layers.items() for key, p in layer.named_parameters() if p.requires_grad
    }
    assert trained.keys() == {
        key.removeprefix("grad_") for key in expected if key.startswith("grad_") and "_x" not in key
    }
    for name, parameter in trained.items():
        parameter.data.copy_(x[name])
    pair = [x["x1"].requires_grad_(), x["x2"].requires_grad_()]
    output = method.loss(pair, batch(12), progress())
    assert_close(output.loss, expected["loss"], dtype)
    z1 = expected["z1"]
    assert_close(output.watched["embeddings"], z1 / (z1**2).sum(1, keepdims=True) ** 0.5, dtype)
    output.loss.backward()
    for view, name in zip(pair, ("grad_x1", "grad_x2")):
        assert_close(view.grad, expected[name], dtype)
    for name, parameter in trained.items():
        assert_close(parameter.grad, expected[f"grad_{name}"], dtype)
    for name, layer in layers.items():
        if "bn" in name:
            # The released frozen bias moves this running mean, and nothing else: 0.1 + 0.9 x 0.1 of it in two views.
            shift = 0.19 * expected["proj_fc3_bias"] if name == "proj_bn3" else 0
            assert_close(layer.running_mean, expected[f"{name}_running_mean_after"] - shift, dtype)
            assert_close(layer.running_var, expected[f"{name}_running_var_after"], dtype)


class Given(nn.Module):
    """Gives tensors one after another, whatever comes in."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs, self.calls = outputs, 0

    def forward(self, _: Tensor) -> Tensor:
        self.calls += 1
        return self.outputs[self.calls - 1]


@both_precisions
@pytest.mark.parametrize("stop_gradient", [True, False])
def test_the_loss_of_the_fixture_and_where_its_gradient_goes(dtype, stop_gradient):
    x, expected = tensors("simsiam_loss", dtype), load("simsiam_loss")
    p, z = ([x[f"{kind}{i}"].requires_grad_() for i in (1, 2)] for kind in "pz")
    method = SimSiam(Options(stop_gradient=stop_gradient), LinearEncoder(3), Given(*z), Given(*p))
    output = method.loss([x["p1"], x["p2"]], batch(10), progress())
    assert_close(output.loss, expected["loss"], dtype)
    output.loss.backward()
    for i in (0, 1):
        assert_close(p[i].grad, expected[f"grad_p{i + 1}"], dtype)
    if stop_gradient:
        assert z[0].grad is None
        assert z[1].grad is None
    else:  # the loss is symmetric in its two sides: minus the mean cosine of z1 with p2
        torch.testing.assert_close(z[0].grad, gradient_of_cosine(z[0], p[1]))
        torch.testing.assert_close(z[1].grad, gradient_of_cosine(z[1], p[0]))


def gradient_of_cosine(a: Tensor, b: Tensor) -> Tensor:
    """d/da of -1/2 mean cos(a, b) = -(n(b) - cos n(a)) / (2 N |a|), by hand."""
    unit_a, unit_b = F.normalize(a.detach(), dim=1), F.normalize(b.detach(), dim=1)
    cosine = (unit_a * unit_b).sum(1, keepdim=True)
    return -(unit_b - cosine * unit_a) / (2 * len(a) * a.detach().norm(dim=1, keepdim=True))


def small(**options) -> SimSiam:
    torch.manual_seed(0)
    return build(Options(**{"dim": 8, **options}), lambda: LinearEncoder(10, nn.Linear(10, 10)), DataFacts(64, 4, 16))


def views() -> list[Tensor]:
    return list(torch.randn(2, 16, 10, generator=torch.Generator().manual_seed(1)))


def gradients(method: SimSiam) -> Tensor:
    method.loss(views(), batch(16), progress()).loss.backward()
    return torch.cat([p.grad.reshape(-1) for p in (*method.encoder.parameters(), *method.projector[0].parameters())])


def test_without_predictor_the_stop_gradient_only_halves_the_step():
    """The symmetric loss then has the same gradient direction with and without it (section 4.2 of the paper)."""
    torch.testing.assert_close(
        2 * gradients(small(predictor="none")), gradients(small(predictor="none", stop_gradient=False))
    )
    assert not torch.allclose(2 * gradients(small()), gradients(small(stop_gradient=False)), rtol=0.1)


def test_the_predictor_keeps_the_peak_rate_unless_told_otherwise():
    training = Training(lr_per_256=0.1, batch_size=256)
    for constant in (True, False):
        method = small(constant_predictor_lr=constant)
        optimizer = build_optimizer(parameter_groups(method, training, method.constant_lr), training, 0.1)
        set_rates(optimizer, 0.01, 0.0)
        rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
        assert {rate[id(p)] for p in method.predictor.parameters()} == {0.1 if constant else 0.01}
        assert {rate[id(p)] for p in method.projector.parameters() if p.requires_grad} == {0.01}


def test_a_fixed_predictor_is_in_no_optimizer_but_passes_gradient_on():
    method = small(predictor="fixed")
    assert not any(p.requires_grad for p in method.predictor.parameters())
    assert gradients(method).abs().sum() > 0


@pytest.mark.parametrize(
    ("norm", "projector", "predictor"),
    [("none", 0, 0), ("hidden", 2, 1), ("default", 3, 1), ("all", 3, 2)],
)
def test_batch_norms_of_the_heads(norm, projector, predictor):
    method = small(norm=norm)
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in method.projector) == projector
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in method.predictor) == predictor
    assert isinstance(method.projector[-1], PlainNorm) == (norm in ("default", "all"))


def test_widths_of_the_paper():
    method = build(Options(), lambda: LinearEncoder(512), DataFacts(64, 4, 16))
    shapes = [
        tuple(layer.weight.shape)
        for head in (method.projector, method.predictor)
        for layer in head
        if isinstance(layer, nn.Linear)
    ]
    assert shapes == [(512, 512), (512, 512), (2048, 512), (512, 2048), (2048, 512)]
    cifar = small(projector_layers=2, hidden=12)
    assert [layer.weight.shape[0] for layer in cifar.projector if isinstance(layer, nn.Linear)] == [12, 8]


def test_extrapolation_lowers_the_cosines_by_its_closed_form():
    transform = FeatureTransform(positive=Extrapolation(alpha=2.0), negative=None)
    plain, far = (
        small(**given).loss(views(), batch(16), progress(3)) for given in ({}, {"feature_transform": transform})
    )
    draws = progress(3).generator
    first, second = (draw_positive_lambda(2.0, (), draws) for _ in range(2))
    method = small()
    z1, z2 = (method.projector(method.encoder(view)) for view in views())
    cosines = [F.cosine_similarity(method.predictor(a), b).mean() for a, b in ((z1, z2), (z2, z1))]
    pushed = [s + 2 * weight * (1 - weight) * (1 - s) for s, weight in zip(cosines, (first, second))]
    torch.testing.assert_close(far.loss, -sum(pushed) / 2)
    assert far.loss > plain.loss


def test_negatives_cannot_be_transformed_where_there_are_none():
    with pytest.raises(ValidationError, match=r"no negatives to interpolate; set feature_transform\.negative: null"):
        Options(feature_transform=FeatureTransform())
