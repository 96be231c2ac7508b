"""DIM: the three estimators through the method, the score networks, the prior in one backward pass."""

import math

import pytest
import torch
import torch.nn.functional as F
from methods.tools import batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from torch import nn
from trainer_tools import small_method, small_options

from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.methods import dim
from pipelines.methods.dim import DIM
from pipelines.methods.pointwise import ChannelNorm, Pointwise, noisy_identity_
from pipelines.methods.scales import local_map, map_sides, pooled_and_maps, two_scales
from pipelines.spec.methods.dim import Options


class Given(Encoder):
    """Global features and a map that are parameters."""

    def __init__(self, pooled: torch.Tensor, features: torch.Tensor) -> None:
        super().__init__()
        self.width, self.map_widths = pooled.shape[1], (features.shape[1],)
        self.pooled, self.features = nn.Parameter(pooled), nn.Parameter(features)

    def forward(self, images):
        return self.pooled

    def feature_maps(self, images):
        return [self.features]


@both_precisions
@pytest.mark.parametrize(
    ("reference", "options"),
    [
        ("jsd", {}),
        ("infonce", {"estimator": "info_nce"}),
        ("infonce_exact", {"estimator": "info_nce", "own_score": None}),
        ("dv", {"estimator": "dv"}),
    ],
)
def test_loss_and_gradients_are_the_reference(reference, options, dtype):
    given, expected = tensors("dim_local", dtype), load("dim_local")
    encoder = Given(given["m"].squeeze(2), given["l"].unflatten(2, (3, 3)))
    method = DIM(Options(gamma=0.0, units=4, dim=12, **options), encoder, nn.Identity(), local=0).to(dtype)
    method.score_local = method.score_global = nn.Identity()
    output = method.loss([torch.zeros(5)], batch(5), progress())
    output.loss.backward()
    assert_close(output.loss, expected[f"{reference}_loss"], dtype)
    assert_close(encoder.pooled.grad, expected[f"{reference}_grad_m"].squeeze(2), dtype)
    assert_close(encoder.features.grad.flatten(2), expected[f"{reference}_grad_l"], dtype)


def images(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_weights_of_the_two_parts():
    """total = beta local + gamma prior + discriminator."""
    parts = []
    for beta, gamma in ((1.0, 0.5), (2.0, 0.5), (2.0, 1.5)):
        method = small_method(small_options("dim", beta=beta, gamma=gamma))
        output = method.loss([images()], batch(6), progress())
        parts.append(output.scalars)
        total = beta * parts[-1]["local"] + gamma * parts[-1]["prior"] + parts[-1]["discriminator"]
        torch.testing.assert_close(output.loss.detach(), total)
    torch.testing.assert_close(parts[0], parts[2])


def test_encoder_and_discriminator_pull_on_their_own_weights_only():
    """By hand: the encoder's gradient has no part from the discriminator's loss, and the other way round."""
    method = small_method(small_options("dim", gamma=0.7))
    glob = torch.randn(6, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    prior, discriminator = method._prior(glob, progress())
    weights = list(method.discriminator.parameters())
    assert all(g is None for g in torch.autograd.grad(prior, weights, retain_graph=True, allow_unused=True))
    assert torch.autograd.grad(discriminator, [glob], retain_graph=True, allow_unused=True) == (None,)
    (pull,) = torch.autograd.grad(prior, glob)
    (expected,) = torch.autograd.grad(F.softplus(-method.discriminator(torch.sigmoid(glob))).mean(), glob)
    torch.testing.assert_close(pull, expected)
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(discriminator, weights))


def test_a_discriminator_that_knows_nothing():
    """Scores of 0: log 2 for the encoder, 2 log 2 for the discriminator."""
    method = small_method(small_options("dim"))
    for weight in method.discriminator.parameters():
        nn.init.zeros_(weight)
    prior, discriminator = method._prior(torch.randn(6, 8), progress())
    assert (prior.item(), discriminator.item()) == pytest.approx((math.log(2), 2 * math.log(2)))


def test_prior_matching_spreads_the_global_feature_over_its_range(monkeypatch):
    """Encoder and discriminator trained on the prior alone: a point mass becomes about uniform in each dimension."""
    monkeypatch.setattr(dim, "DISCRIMINATOR", (64, 32))
    method = small_method(small_options("dim", gamma=1.0))
    glob = nn.Parameter(3 + 0.1 * torch.randn(64, 8))
    optimizer = torch.optim.Adam([glob, *method.discriminator.parameters()], lr=0.02, betas=(0.5, 0.9))
    for step in range(200):
        prior, discriminator = method._prior(glob, progress(step))
        optimizer.zero_grad()
        (prior + discriminator).backward()
        optimizer.step()
    codes = torch.sigmoid(glob.detach())
    assert codes.mean().item() == pytest.approx(0.5, abs=0.15)  # at the start 0.95
    assert codes.std(0).mean().item() > 0.1  # at the start 0.005, uniform 0.29


def test_without_prior_there_is_no_discriminator():
    method = small_method(small_options("dim", gamma=0.0))
    assert method.discriminator is None
    assert list(method.loss([images()], batch(6), progress()).scalars) == ["local"]


def test_a_score_network_starts_as_its_shortcut_and_ends_in_unit_variance():
    torch.manual_seed(0)
    network = Pointwise(6, 10, 8, ChannelNorm(8))
    eye = torch.eye(8, 6)
    assert (network.shortcut.weight[:, :, 0, 0] - eye).abs().max() <= 0.01
    out = network(torch.randn(4, 6, 3, 3))
    assert out.shape == (4, 8, 3, 3)
    torch.testing.assert_close(out.mean(1), torch.zeros(4, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(1, correction=0), torch.ones(4, 3, 3), atol=1e-2, rtol=0)
    wide = torch.empty(3, 5)
    noisy_identity_(wide)
    assert (wide - torch.eye(3, 5)).abs().max() <= 0.01


def test_pooled_feature_and_maps_in_one_pass_are_those_of_two():
    encoder = small_method(small_options("dim")).encoder.eval()
    pooled, maps = pooled_and_maps(encoder, images())
    torch.testing.assert_close(pooled, encoder(images()))
    assert all(torch.equal(one, other) for one, other in zip(maps, encoder.feature_maps(images())))


def test_looking_at_sizes_leaves_the_encoder_as_it_was():
    encoder = small_method(small_options("dim")).encoder
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    assert map_sides(encoder, 32, 3) == [32, 16, 8, 4]
    assert encoder.training
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_maps_are_chosen_by_size():
    assert [local_map(sides, 7) for sides in ([32, 16, 8, 4], [56, 28, 14, 7], [16, 8, 4, 2], [6, 3], [14])] == [
        2, 2, 1, 0, 0,
    ]  # fmt: skip
    assert [two_scales(sides, 5) for sides in ([32, 16, 8, 4], [56, 28, 14, 7], [16, 8, 4, 2], [28, 14, 7, 4])] == [
        (3, 2), (3, 2), (2, 1), (3, 2),
    ]  # fmt: skip
    with pytest.raises(InputError, match="use resnet"):
        two_scales([14], 5)
    assert small_method(small_options("dim")).local == 1
    assert small_method(small_options("dim", local=3)).local == 3
    with pytest.raises(InputError, match=r"local: 4, but .* 0 to 3 \(sides 16, 8, 4, 2\)"):
        small_method(small_options("dim", local=4))


def test_what_does_not_go_together_is_refused():
    with pytest.raises(InputError, match="set count: 1"):
        small_method(small_options("dim")).loss([images(), images()], batch(6), progress())


def test_donsker_varadhan_promises_nothing_over_processes():
    assert small_method(small_options("dim")).same_on_processes
    assert not small_method(small_options("dim", estimator="dv")).same_on_processes
