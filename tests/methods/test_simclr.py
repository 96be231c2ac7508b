"""SimCLR: the head as released, and the method's loss against NT-Xent."""

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from pydantic import ValidationError
from torch import nn

from pipelines.losses.feature_transform import draw_negative_lambda, draw_positive_lambda
from pipelines.losses.nt_xent import nt_xent
from pipelines.losses.pairs import pair_scores
from pipelines.methods.base import DataFacts
from pipelines.methods.heads import simclr_head
from pipelines.methods.simclr import SimCLR, build
from pipelines.spec.methods.parts import FeatureTransform, Interpolation
from pipelines.spec.methods.simclr import Options


@both_precisions
def test_the_head_is_the_released_one(dtype):
    x, expected = tensors("simclr_head", dtype), load("simclr_head")
    count = int(x["n_layers"])
    head = simclr_head([x["w_0"].shape[0], *(x[f"w_{i}"].shape[1] for i in range(count))]).to(dtype)
    features = x["x"]
    for i, layer in enumerate(head):
        layer[0].weight.data.copy_(x[f"w_{i}"].T)
        layer[1].weight.data.copy_(x[f"gamma_{i}"])
        layer[1].eps = float(x["eps"])
        if f"beta_{i}" in x:
            layer[1].bias.data.copy_(x[f"beta_{i}"])
        else:
            assert not layer[1].bias.requires_grad
        features = layer(features)
        assert_close(features, expected[f"out_{i}"], dtype)


def small(**options) -> SimCLR:
    torch.manual_seed(0)
    return SimCLR(Options(dim=6, **options), LinearEncoder(10), nn.Linear(10, 6, bias=False))


def views() -> list[torch.Tensor]:
    return list(torch.randn(2, 8, 10, generator=torch.Generator().manual_seed(1)))


def test_the_loss_is_nt_xent_of_the_unit_embeddings():
    method, pair = small(temperature=0.5), views()
    first, second = (F.normalize(method.head(view), dim=1) for view in pair)
    output = method.loss(pair, batch(8), progress())
    torch.testing.assert_close(output.loss, nt_xent(*pair_scores(first, second), 0.5).loss)
    assert small(temperature=0.5, scale="code").loss(pair, batch(8), progress()).loss.item() == pytest.approx(
        2 * output.loss.item()
    )


def test_the_loss_does_not_care_which_view_comes_first():
    pair = views()
    one, other = small().loss(pair, batch(8), progress()).loss, small().loss(pair[::-1], batch(8), progress()).loss
    torch.testing.assert_close(one, other)


def test_feature_transformation_makes_positives_harder_and_keeps_mean_negatives():
    pair = views()
    plain = small().loss(pair, batch(8), progress()).watched
    mixed = small(feature_transform=FeatureTransform(positive=None)).loss(pair, batch(8), progress()).watched
    hard = small(feature_transform=FeatureTransform(negative=None)).loss(pair, batch(8), progress()).watched
    assert torch.equal(mixed["positive_scores"], plain["positive_scores"])
    torch.testing.assert_close(mixed["negative_scores"].mean(1), plain["negative_scores"].mean(1))
    assert mixed["negative_scores"].var() < plain["negative_scores"].var()
    assert (hard["positive_scores"] < plain["positive_scores"]).all()


def test_transformed_scores_are_those_of_transformed_vectors():
    """Row by row: an anchor's positive is extrapolated with it, its negatives are rows mixed with one another."""
    method, pair, now = small(temperature=0.5, feature_transform=FeatureTransform()), views(), progress(3)
    draws, (q, k) = now.generator.clone_state(), (F.normalize(method.head(view), dim=1) for view in pair)
    far, mix = draw_positive_lambda(2.0, (), draws), draw_negative_lambda(1.6, (), draws)
    order = torch.randperm(14, generator=draws)
    rows = torch.cat([far * q + (1 - far) * k, far * k + (1 - far) * q])
    total = torch.zeros(())
    for anchor in range(16):
        partner = (anchor + 8) % 16
        negatives = rows[[row for row in range(16) if row not in (anchor, partner)]]
        scores = torch.cat([rows[[partner]], mix * negatives + (1 - mix) * negatives[order]]) @ rows[anchor] / 0.5
        total = total - scores.log_softmax(0)[0] / 16
    loss = method.loss(pair, batch(8), now).loss
    torch.testing.assert_close(loss, total)
    expected = torch.autograd.grad(total, method.head.weight)
    torch.testing.assert_close(torch.autograd.grad(loss, method.head.weight), expected, rtol=1e-4, atol=1e-6)


def test_version_two_has_three_layers():
    assert Options(version=2).head_layers == 3
    assert Options(version=2, head_layers=2).head_layers == 2
    assert Interpolation().granularity == "batch"


@pytest.mark.parametrize("options", [{"renormalise": "both"}, {"negative": Interpolation(granularity="row")}])
def test_what_mixed_scores_cannot_do_is_refused(options):
    with pytest.raises(ValidationError, match="SimCLR mixes the scores of its negatives"):
        Options(feature_transform=FeatureTransform(**options))
    allowed = {"renormalise": "positives", "negative": None} if "renormalise" in options else {"negative": None}
    assert Options(feature_transform=FeatureTransform(**allowed))


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_the_head_has_as_many_layers_as_asked_for(layers):
    method = build(Options(dim=6, head_layers=layers), lambda: LinearEncoder(10), DataFacts(64, 4, 16))
    assert len(method.head) == layers
    features = torch.randn(8, 10)
    embedded = method.head(features)
    assert embedded.shape == (8, 6 if layers else 10)
    assert layers or torch.equal(embedded, features)
