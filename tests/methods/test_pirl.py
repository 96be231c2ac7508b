"""PIRL: both branches against the bank as in the reference, the jigsaw head, and the recipe's patches."""

import math

import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from torch import Tensor, nn

from pipelines.errors import InputError
from pipelines.losses.nce import nce
from pipelines.methods import bank
from pipelines.methods.pirl import PIRL, JigsawHead
from pipelines.spec.encoders.resnet import Options as ResNet
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.pirl import Options
from pipelines.spec.training import Training


def identity_head(dim: int) -> JigsawHead:
    """A head for puzzles of one patch that gives it as it is."""
    head = JigsawHead(dim, dim, patches=1)
    head.patch, head.whole = nn.Identity(), nn.Identity()
    return head


def reference(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, form: str) -> tuple[PIRL, dict[str, Tensor]]:
    x = tensors("pirl", dtype)
    monkeypatch.setattr(bank, "draw_candidates", lambda index, num_samples, num_negatives, generator: x["idx"])
    count, dim = x["memory_init"].shape
    options = Options(
        loss=form, temperature=float(x["T"]), bank_momentum=float(x["m"]), jigsaw_weight=float(x["beta"]), dim=dim,
        num_negatives=x["idx"].shape[1] - 1,
    )  # fmt: skip
    method = PIRL(options, LinearEncoder(dim), nn.Identity(), identity_head(dim), count).to(dtype)
    method.bank.slots.copy_(x["memory_init"])
    return method, x


@both_precisions
def test_the_softmax_form_is_the_reference(monkeypatch, dtype):
    method, x = reference(monkeypatch, dtype, "info_nce")
    expected = load("pirl")
    image, jigsaw = x["x_raw"].requires_grad_(), x["x_jig_raw"].requires_grad_()
    output = method.loss([image, puzzle(jigsaw)], batch(len(image), index=x["y"]), progress())
    output.loss.backward()
    assert_close(output.loss, expected["loss"], dtype)
    assert_close(output.scalars["image_loss"], expected["loss_img"], dtype)
    assert_close(output.scalars["jigsaw_loss"], expected["loss_jig"], dtype)
    assert_close(image.grad, expected["grad_x_raw"], dtype)
    assert_close(jigsaw.grad, expected["grad_x_jig_raw"], dtype)
    method.after_step(progress())
    assert_close(method.bank.slots, expected["memory_after"], dtype)


def puzzle(features: Tensor) -> Tensor:
    """(N, D) -> (N, 1, D, 1, 1), which the identity encoder leaves and the head flattens."""
    return features[:, None, :, None, None]


@both_precisions
def test_the_paper_form_is_nce_of_both_branches_each_with_its_own_z(monkeypatch, dtype):
    method, x = reference(monkeypatch, dtype, "nce")
    count, arrays = len(method.bank.slots), load("pirl")
    now = batch(len(x["y"]), index=x["y"])
    output = method.loss([x["x_raw"], puzzle(x["x_jig_raw"])], now, progress())
    parts = []
    for number, name in enumerate(("logits", "logits_jig")):
        log_z = math.log(count) + torch.tensor(arrays[name]).exp().mean().log()
        assert_close(method.question.log_z[number], log_z, dtype)
        parts.append(nce(torch.tensor(arrays[name]), log_z, count))
    share = float(x["beta"])
    assert_close(output.loss, (1 - share) * parts[0] + share * parts[1], dtype)


def small(patches: int = 4, **options: object) -> PIRL:
    torch.manual_seed(0)
    given = Options(dim=6, num_negatives=9, **options)
    return PIRL(given, LinearEncoder(12, nn.Flatten()), nn.Linear(12, 6), JigsawHead(12, 6, patches), 30)


def views(patches: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(8, 3, 2, 2, generator=generator), torch.randn(8, patches, 3, 2, 2, generator=generator)]


def test_the_jigsaw_head_sees_patches_in_the_order_they_are_shown():
    method, (_, shown) = small(), views()
    head = method.jigsaw_head
    features = shown.flatten(2)
    parts = [features[:, place] @ head.patch.weight.T + head.patch.bias for place in range(4)]
    torch.testing.assert_close(head(features), head.whole(torch.cat(parts, dim=1)))
    assert not torch.allclose(head(features), head(features.flip(1)))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_weight_decides_which_branch_learns(share):
    method = small(jigsaw_weight=share)
    method.loss(views(), batch(8), progress()).loss.backward()
    learns = [bool(head.weight.grad.abs().max() > 0) for head in (method.image_head, method.jigsaw_head.whole)]
    assert learns == [share < 1, share > 0]


def test_the_bank_keeps_the_image_branch():
    method = small(bank_momentum=0.0)
    method.loss(views(), batch(8), progress())
    method.after_step(progress())
    image = F.normalize(method.image_head(method.encoder(views()[0])), dim=1)
    torch.testing.assert_close(method.bank.slots[:8], image)


@pytest.mark.parametrize("given", [views(9), views()[:1], [views()[0], views()[0]]])
def test_a_recipe_with_other_patches_is_refused(given):
    with pytest.raises(InputError, match="a jigsaw of 4 patches"):
        small().loss(given, batch(8), progress())


def test_the_recipe_is_the_papers_and_shrinks_with_the_image():
    sizes = {side: Options().default_views(side).jigsaw for side in (224, 96, 32, 16)}
    assert [(j.grid, j.cell, j.patch) for j in sizes.values()] == [(3, 85, 64), (3, 36, 27), (2, 16, 12), (2, 8, 6)]
    assert Options(grid=3).default_views(32).jigsaw.grid == 3
    assert Options().default_views(None).jigsaw.cell == 85


def test_an_encoder_of_one_image_size_is_refused():
    Options().check(Training(), ResNet(), 100)
    with pytest.raises(ValueError, match="encoder vit"):
        Options().check(Training(), ViT(), 100)
