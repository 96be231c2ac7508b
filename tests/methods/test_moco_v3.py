"""MoCo v3: whole forward passes of the released code, keys and their order, and the ViT's form."""

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from torch import Tensor, nn

from pipelines.encoders import build_encoder
from pipelines.methods.base import DataFacts
from pipelines.methods.moco_v3 import MoCoV3, build, heads
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.moco_v3 import Options
from pipelines.spec.training import Training
from pipelines.training.optimizers import build_optimizer, parameter_groups

FACTS = DataFacts(64, 4, 16)


def parts(method: MoCoV3) -> dict[str, nn.Module]:
    """The networks by the fixtures' names."""
    return {
        "base_body": method.encoder.body,
        "base_proj": method.projector,
        "mom_body": method.key_encoder.body,
        "mom_proj": method.key_projector,
        "pred": method.predictor,
    }


def fixture_names(method: MoCoV3) -> dict[str, Tensor]:
    """Every parameter that learns or follows one that does, by its name in the fixture."""
    named = {
        f"{prefix}_{name.replace('.', '_')}": p
        for prefix, net in parts(method).items()
        for name, p in net.named_parameters()
    }
    online = {name: p for name, p in named.items() if p.requires_grad}
    return online | {name: p for name, p in named.items() if name.replace("mom", "base") in online}


@both_precisions
@pytest.mark.parametrize("form", ["resnet", "vit"])
def test_a_step_is_that_of_the_released_code(form, dtype):
    name = f"mocov3_step_{form}"
    x, expected = tensors(name, dtype), load(name)
    (width, inside), (hidden, dim) = x["base_body_weight"].shape, x["pred_0_weight"].shape
    encoder = LinearEncoder(width, nn.Linear(inside, width, bias=False))
    options = Options(
        head=form, temperature=float(x["temperature"]), momentum=float(x["momentum"]), hidden=hidden, dim=dim
    )
    method = build(options, lambda: encoder, FACTS).to(dtype)
    named = fixture_names(method)
    assert named.keys() == {key for key in x if key.startswith(("base_", "mom_", "pred_")) and "after" not in key}
    for key, parameter in named.items():
        parameter.data.copy_(x[key])
    pair = [x["x1"].requires_grad_(), x["x2"].requires_grad_()]
    output = method.loss(pair, batch(10), progress())
    assert_close(output.loss, expected["loss"], dtype)
    output.loss.backward()
    for view, key in zip(pair, ("grad_x1", "grad_x2")):
        assert_close(view.grad, expected[key], dtype)
    for key, parameter in named.items():
        if key.startswith("mom"):
            assert_close(parameter, expected[f"{key}_after"], dtype)
        else:
            assert_close(parameter.grad, expected[f"grad_{key}"], dtype)
    statistics = {key for key in expected if "running" in key}
    for prefix, net in parts(method).items():
        for key, value in net.named_buffers():
            if "running" in key:
                found = f"{prefix}_{key.replace('.', '_')}_after"
                assert_close(value, expected[found], dtype)
                statistics.discard(found)
    assert not statistics


class Given(nn.Module):
    """Gives tensors one after another, whatever comes in."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs, self.calls = outputs, 0

    def forward(self, _: Tensor) -> Tensor:
        self.calls += 1
        return self.outputs[self.calls - 1]


@both_precisions
def test_the_loss_of_the_fixture_and_the_cosines_watched(dtype):
    x, expected = tensors("mocov3_loss", dtype), load("mocov3_loss")
    queries = [x[f"q{i}"].requires_grad_() for i in (1, 2)]
    method = MoCoV3(Options(), LinearEncoder(3), nn.Identity(), Given(*queries), float(x["temperature"]))
    method.key_projector = Given(x["k1"], x["k2"])
    output = method.loss([x["k1"], x["k2"]], batch(9), progress())
    assert_close(output.loss, expected["loss"], dtype)
    output.loss.backward()
    for query, key in zip(queries, ("grad_q1", "grad_q2")):
        assert_close(query.grad, expected[key], dtype)
    scores = F.normalize(x["q1"].detach(), dim=1) @ F.normalize(x["k2"], dim=1).T
    torch.testing.assert_close(output.watched["positive_scores"], scores.diagonal())
    others = torch.stack([torch.cat([row[:i], row[i + 1 :]]) for i, row in enumerate(scores)])
    torch.testing.assert_close(output.watched["negative_scores"], others)


def test_equal_features_leave_only_chance():
    """All keys alike: each direction is 2T ln N."""
    same = [torch.ones(8, 5)] * 2
    method = MoCoV3(Options(), LinearEncoder(5), nn.Identity(), nn.Identity(), 0.3)
    expected = 2 * 2 * 0.3 * torch.tensor(8.0).log()
    torch.testing.assert_close(method.loss(same, batch(8), progress()).loss, expected)


def vit(**options) -> MoCoV3:
    torch.manual_seed(0)
    encoder = ViT(size="micro", patch=4, position="sincos")
    return build(Options(**{"hidden": 16, "dim": 8, **options}), lambda: build_encoder(encoder, 16), FACTS)


def resnet(**options) -> MoCoV3:
    torch.manual_seed(0)
    encoder = ResNet(depth=10, width=8, stem="small")
    return build(Options(**{"hidden": 16, "dim": 8, **options}), lambda: build_encoder(encoder, 16), FACTS)


def test_heads_and_temperature_follow_the_encoder_unless_given():
    assert (len(vit().projector), vit().temperature) == (len(heads("vit", 8, 16, 8)[0]), 0.2)
    assert (len(resnet().projector), resnet().temperature) == (len(heads("resnet", 8, 16, 8)[0]), 1.0)
    assert (len(resnet(head="vit").projector), resnet(head="vit", temperature=0.5).temperature) == (8, 0.5)
    assert len(vit(head="resnet").projector) == 5


def test_a_vit_starts_xavier_uniform_with_queries_keys_and_values_apart():
    encoder = vit().encoder
    bound = (6 / (2 * 64)) ** 0.5
    largest = encoder.blocks[0].attn.qkv.weight.abs().max().item()
    assert 0.99 * bound < largest <= bound
    assert encoder.cls_token.abs().max() < 1e-5


def images() -> list[Tensor]:
    return list(torch.randn(2, 6, 3, 16, 16, generator=torch.Generator().manual_seed(1)))


def step(method: MoCoV3) -> None:
    """One step of AdamW with decay on everything, as the ViT recipe has it."""
    training = Training(**Options(head="vit").default_training() | {"lr_per_256": 1.0})
    groups = parameter_groups(method, training, method.constant_lr)
    assert len(groups) == 1, "norms, biases and the class token decay like all else"
    optimizer = build_optimizer(groups, training, 0.01)
    method.loss(images(), batch(6), progress()).loss.backward()
    optimizer.step()
    method.after_step(progress())


def test_a_frozen_patch_projection_meets_neither_gradient_nor_decay():
    for frozen in (True, False):
        method = vit(freeze_patch_projection=frozen)
        before = {name: p.clone() for name, p in method.encoder.named_parameters()}
        step(method)
        moved = {name for name, p in method.encoder.named_parameters() if not torch.equal(p, before[name])}
        kept = {"patch_embed.proj.weight", "patch_embed.proj.bias"} if frozen else set()
        assert before.keys() - moved == kept
    frozen = vit(freeze_patch_projection=True)
    step(frozen)
    assert torch.equal(frozen.key_encoder.patch_embed.proj.weight, frozen.encoder.patch_embed.proj.weight)


def test_keys_come_from_the_average_moved_with_the_weights_before_the_step():
    method = resnet(momentum=0.5)
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.add_(0.01)
    before, online = method.key_encoder.conv1.weight.clone(), method.encoder.conv1.weight.detach().clone()
    method.loss(images(), batch(6), progress(5, 10))  # half-way, the cosine from 0.5 to 1 is at 0.75
    torch.testing.assert_close(method.key_encoder.conv1.weight, 0.75 * before + 0.25 * online)
    method.after_step(progress(5, 10))
    torch.testing.assert_close(method.key_encoder.conv1.weight, 0.75 * before + 0.25 * online)


@pytest.mark.parametrize(
    ("options", "encoder", "training", "words"),
    [
        ({"freeze_patch_projection": True}, ResNet(), {}, "a resnet has no patch projection; leave it out"),
        ({}, ViT(), {"optimizer": "lars"}, "the encoder is a ViT; say head: vit"),
    ],
)
def test_what_does_not_go_together_is_refused(options, encoder, training, words):
    with pytest.raises(ValueError, match=words):
        Options(**options).check(Training(**training), encoder, None)
    Options(**options, head="vit").check(Training(**training), ViT(), None)


def test_recipes_follow_the_head():
    assert Options(head="vit").default_training()["optimizer"] == "adamw"
    assert Options().default_training()["optimizer"] == "lars"
    assert [Options(head=head).default_views(224).kinds[0].scale[0] for head in ("resnet", "vit")] == [0.2, 0.08]
