"""BYOL: the released networks' step, the target's average over steps, and the options of its ablations."""

import pytest
import torch
from methods.tools import LinearEncoder, batch, progress
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from torch import Tensor, nn

from pipelines.methods.base import DataFacts
from pipelines.methods.byol import BYOL, build
from pipelines.methods.heads import StandardisedLinear, normed_mlp
from pipelines.spec.methods.byol import Options

PARTS = {
    "fc1_weight": "0.weight",
    "fc1_bias": "0.bias",
    "bn_scale": "1.weight",
    "bn_offset": "1.bias",
    "fc2_weight": "3.weight",
}


def fill(head: nn.Module, x: dict[str, Tensor], prefix: str) -> None:
    """Put a fixture's weights into a head; every parameter gets one."""
    parameters = dict(head.named_parameters())
    assert parameters.keys() == set(PARTS.values())
    for part, name in PARTS.items():
        parameters[name].data.copy_(x[f"{prefix}_{part}"])


class Given(LinearEncoder):
    """Gives the encoder outputs of a fixture, one after another, with gradient."""

    def __init__(self, outputs: list[Tensor]) -> None:
        super().__init__(outputs[0].shape[1])
        self.outputs = [output.requires_grad_() for output in outputs]
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return self.outputs[self.calls - 1]


@both_precisions
def test_a_step_is_that_of_the_released_networks(dtype):
    x, expected = tensors("byol_step", dtype), load("byol_step")
    hidden, width = x["online_proj_fc1_weight"].shape
    dim = len(x["online_proj_fc2_weight"])
    make = {"online_proj": [width, hidden, dim], "online_pred": [dim, hidden, dim], "target_proj": [width, hidden, dim]}
    projector, predictor, target = (normed_mlp(widths, hidden_bias=True).to(dtype) for widths in make.values())
    for head, prefix in zip((projector, predictor, target), make):
        fill(head, x, prefix)
    online = Given([x["x1_online"], x["x2_online"]])
    method = BYOL(Options(hidden=hidden, dim=dim), online, projector, predictor)
    method.target_encoder = Given([x["x1_target"], x["x2_target"]])
    method.target_projector.load_state_dict(target.state_dict())
    output = method.loss([x["x1_online"], x["x2_online"]], batch(10), progress())
    assert_close(output.loss, expected["loss"], dtype)
    assert_close(output.watched["embeddings"], _unit(expected["proj1"]), dtype)
    assert_close(
        output.watched["positive_scores"], (_unit(expected["pred1"]) * _unit(expected["target2"])).sum(1), dtype
    )
    output.loss.backward()
    for given, name in zip(online.outputs, ("grad_x1_online", "grad_x2_online")):
        assert_close(given.grad, expected[name], dtype)
    for head, prefix in ((projector, "online_proj"), (predictor, "online_pred")):
        for part, name in PARTS.items():
            assert_close(head.get_parameter(name).grad, expected[f"grad_{prefix}_{part}"], dtype)
    assert all(p.grad is None for p in method.target_projector.parameters())
    assert all(output.grad is None for output in method.target_encoder.outputs)


def _unit(rows):
    return rows / (rows**2).sum(1, keepdims=True) ** 0.5


@both_precisions
def test_the_loss_of_the_fixture(dtype):
    x, expected = tensors("byol_loss", dtype), load("byol_loss")
    predictions = [x[f"pred{i}"].requires_grad_() for i in (1, 2)]
    method = BYOL(Options(), Given(predictions), nn.Identity(), nn.Identity())
    method.target_encoder = Given([x["target1"], x["target2"]])
    output = method.loss([x["pred1"], x["pred2"]], batch(10), progress())
    assert_close(output.loss, expected["loss"], dtype)
    output.loss.backward()
    for prediction, name in zip(predictions, ("grad_pred1", "grad_pred2")):
        assert_close(prediction.grad, expected[name], dtype)


@both_precisions
def test_the_target_follows_by_the_momentum_of_its_step(dtype):
    x, expected = tensors("byol_ema", dtype), load("byol_ema")
    weight = nn.Linear(4, 3, bias=False).to(dtype)
    weight.weight.data.copy_(x["target_w"])
    method = BYOL(Options(momentum=float(x["base_tau"])), LinearEncoder(4, weight), nn.Identity(), nn.Identity())
    for i, step in enumerate(x["steps"].tolist()):
        weight.weight.data.copy_(x["online_w"][i])
        method.after_step(progress(step, int(x["max_steps"])))
        assert_close(method.target_encoder.body.weight, expected["target_w_sequence"][i], dtype)


def small(**options) -> BYOL:
    torch.manual_seed(0)
    make_encoder = lambda: LinearEncoder(10, nn.Linear(10, 10))  # noqa: E731
    return build(Options(**{"hidden": 16, "dim": 6, **options}), make_encoder, DataFacts(64, 4, 16))


def views() -> list[Tensor]:
    return list(torch.randn(2, 8, 10, generator=torch.Generator().manual_seed(1)))


def test_without_predictor_and_with_equal_views_a_copied_target_leaves_no_loss():
    same = views()[:1] * 2
    assert small(predictor="none").loss(same, batch(8), progress()).loss.item() == pytest.approx(0, abs=1e-6)
    assert small().loss(same, batch(8), progress()).loss.item() > 0.1


def test_the_loss_does_not_care_which_view_comes_first():
    one, other = (small().loss(pair, batch(8), progress()).loss for pair in (views(), views()[::-1]))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("start", "equal"), [("copy", True), ("fresh", False)])
def test_the_target_starts_as_a_copy_or_with_weights_of_its_own(start, equal):
    method = small(target_start=start)
    assert torch.equal(method.encoder.body.weight, method.target_encoder.body.weight) == equal
    assert torch.equal(method.projector[0].weight, method.target_projector[0].weight) == equal
    assert not any(
        p.requires_grad for p in (*method.target_encoder.parameters(), *method.target_projector.parameters())
    )


@pytest.mark.parametrize(
    ("momentum", "schedule", "share"), [(0.0, "constant", 0.0), (1.0, "constant", 1.0), (0.5, "cosine", 0.75)]
)
def test_the_momentum_can_stay_or_rise(momentum, schedule, share):
    """Half-way, the cosine from 0.5 to 1 is at 0.75; a momentum of 0 is the online network itself."""
    method = small(momentum=momentum, momentum_schedule=schedule, target_start="fresh")
    before, online = method.target_encoder.body.weight.clone(), method.encoder.body.weight
    method.after_step(progress(5, 10))
    torch.testing.assert_close(method.target_encoder.body.weight, share * before + (1 - share) * online)


def kinds(head: nn.Module) -> list[type]:
    return [type(layer) for layer in head]


def test_the_norm_of_the_heads_is_switchable_together_and_one_by_one():
    standardised = [StandardisedLinear, nn.GroupNorm, nn.ReLU, nn.Linear]
    plain, batched = [nn.Linear, nn.ReLU, nn.Linear], [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    for norm, expected in (("batch", batched), ("none", plain), ("group", standardised)):
        method = small(norm=norm)
        assert kinds(method.projector) == kinds(method.predictor) == kinds(method.target_projector) == expected
    mixed = small(norm="batch", predictor_norm="none")
    assert (kinds(mixed.projector), kinds(mixed.predictor)) == (batched, plain)


@pytest.mark.parametrize("norm", ["none", "group"])
def test_without_batch_norm_an_image_does_not_meet_the_others(norm):
    method = small(norm=norm)
    pair = views()
    alone = method.loss([view[:1] for view in pair], batch(1), progress()).watched["embeddings"]
    together = method.loss(pair, batch(8), progress()).watched["embeddings"]
    torch.testing.assert_close(alone, together[:1])


def test_standardised_weights_have_mean_0_and_variance_1_whatever_the_weights_are():
    torch.manual_seed(0)
    layer, identity = StandardisedLinear(50, 4).double(), torch.eye(50, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.mul_(7).add_(3)
    weight = (layer(identity) - layer.bias).T  # the weights in use, one row an output
    scaled = (layer.weight - layer.weight.mean(1, keepdim=True)) / layer.weight.std(1, correction=0, keepdim=True)
    torch.testing.assert_close(weight, scaled, rtol=1e-3, atol=1e-3)  # but for the 1e-5 under the root


def test_the_paper_s_views_differ_and_lose_their_blur_on_small_images():
    first, second = Options().default_views(224).kinds
    assert (first.blur, second.blur, first.solarize, second.solarize) == (1.0, 0.1, 0.0, 0.2)
    assert [kind.blur for kind in Options().default_views(32).kinds] == [0.0, 0.0]
