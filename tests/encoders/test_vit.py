"""The own ViT: DINO's and timm's networks with their weights, and what tokens, positions and drop path promise."""

from typing import Any

import pytest
import timm
import torch
from parity_tools import assert_close, both_precisions, load, tensors
from torch import Tensor

from pipelines.encoders.drop_path import set_drop_path
from pipelines.encoders.vit import ViT, xavier_
from pipelines.errors import InputError


def tiny(**changes: Any) -> ViT:
    settings: dict[str, Any] = {"width": 24, "depth": 2, "heads": 3, "patch": 8, "image_size": 32, "mlp_ratio": 2.0}
    return ViT(**(settings | changes))


def reference(dtype: torch.dtype, **changes: Any) -> tuple[ViT, dict[str, Tensor]]:
    """The fixture's network with the fixture's weights, and the fixture."""
    given = tensors("dino_vit", dtype)
    model = tiny(**changes).to(dtype).eval()
    model.load_state_dict({name.replace("__", "."): given[name.replace(".", "__")] for name in weights(given)})
    return model, given


def weights(given: dict[str, Tensor]) -> list[str]:
    return [name for name in given if "__" in name or name in ("cls_token", "pos_embed")]


@both_precisions
def test_equals_dino(dtype: torch.dtype) -> None:
    model, given = reference(dtype, resize="scale")
    expected = load("dino_vit")
    assert_close(model(given["global_images"]), expected["cls_global"], dtype)
    assert_close(model.positions(2, 2), expected["pos_embed_local"], dtype)
    assert_close(model(given["local_images"]), expected["cls_local"], dtype)


@both_precisions
def test_equals_dino_on_small_crops_with_its_positions(dtype: torch.dtype) -> None:
    model, given = reference(dtype, resize="size")
    assert (model.positions(2, 2) - given["pos_embed_local"]).abs().max() > 0.05  # by size differs from by scale
    local = tiny(image_size=16).to(dtype).eval()
    local.load_state_dict({**model.state_dict(), "pos_embed": given["pos_embed_local"]})
    assert_close(local(given["local_images"]), load("dino_vit")["cls_local"], dtype)


def test_equals_timm_with_its_weights() -> None:
    peer = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64).eval()
    own = ViT(192, 12, 3, patch=16, image_size=64).eval()
    own.load_state_dict(peer.state_dict(), strict=True)
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(own(x), peer(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(own.tokens(x), peer.forward_features(x), rtol=1e-4, atol=1e-5)


def test_all_patches_kept_in_another_order_is_the_same() -> None:
    model, x = tiny().eval(), torch.randn(2, 3, 32, 32)
    order = torch.stack([torch.randperm(16), torch.randperm(16)])
    some, every = model.tokens(x, order), model.tokens(x)
    torch.testing.assert_close(some[:, 0], every[:, 0])
    torch.testing.assert_close(some[:, 1:], every[:, 1:].gather(1, order.unsqueeze(-1).expand(-1, -1, 24)))


def test_patches_that_are_not_kept_have_no_influence() -> None:
    model, x = tiny().eval(), torch.randn(2, 3, 32, 32)
    keep = torch.tensor([[0, 5, 15], [3, 1, 2]])
    changed = x.clone()
    changed[0, :, 8:16, 0:8] = 9.0  # patch 4 of the first image
    changed[1, :, 8:16, 8:16] = 9.0  # patch 5 of the second
    assert model.tokens(x, keep).shape == (2, 4, 24)
    torch.testing.assert_close(model.tokens(changed, keep), model.tokens(x, keep))
    kept = x.clone()
    kept[0, :, 8:16, 8:16] = 9.0  # patch 5 of the first image is kept
    assert not torch.allclose(model.tokens(kept, keep)[0], model.tokens(x, keep)[0])


def test_pooling_and_map_are_read_from_the_tokens() -> None:
    x = torch.randn(2, 3, 32, 16)  # rectangular: 4 x 2 patches
    model = tiny(pool="mean").eval()
    tokens, (grid,) = model.tokens(x), model.feature_maps(x)
    assert grid.shape == (2, 24, 4, 2)
    assert model.map_widths == (24,)
    assert model.width == 24
    torch.testing.assert_close(grid[:, :, 3, 1], tokens[:, 8])
    torch.testing.assert_close(model(x), grid.mean((2, 3)))
    model.pool = "token"
    torch.testing.assert_close(model(x), tokens[:, 0])


def test_fixed_positions_are_saved_but_never_trained() -> None:
    model = tiny(position="sincos")
    assert "pos_embed" in model.state_dict()
    assert "pos_embed" not in dict(model.named_parameters())
    assert model.pos_embed.shape == (1, 17, 24)
    assert not model.pos_embed[:, 0].any()
    assert "pos_embed" in dict(tiny().named_parameters())
    assert tiny().state_dict().keys() == model.state_dict().keys()


def test_drop_path_leaves_out_branches_of_samples_in_training_only() -> None:
    model, x = tiny(depth=2), torch.randn(400, 5, 24)
    set_drop_path(model, 0.25)
    assert [getattr(each.drop, "p", 0.0) for each in model.blocks] == [0.0, 0.25]
    block = model.blocks[1].eval()
    branch = block.attn(block.norm1(x))
    middle = x + branch
    torch.testing.assert_close(block(x), middle + block.mlp(block.norm2(middle)))
    block.train()
    block.mlp.fc2.weight.data.zero_()
    block.mlp.fc2.bias.data.zero_()  # only the attention branch is left
    change = block(x) - x
    dropped = change.flatten(1).abs().amax(1) == 0
    assert 0.17 < dropped.float().mean() < 0.33
    torch.testing.assert_close(change[~dropped], branch[~dropped] / 0.75, rtol=1e-4, atol=1e-5)
    set_drop_path(model, 1.0)
    assert not (block.train()(x) - x).any()
    assert model.state_dict().keys() == tiny(depth=2).state_dict().keys()


def test_starting_weights() -> None:
    model = ViT(192, 2, 3, patch=16, image_size=32)
    for name, value in model.named_parameters():
        if name.endswith("bias"):
            assert not value.any()
        elif name.endswith(("cls_token", "pos_embed", "qkv.weight", "fc1.weight")):
            assert value.std().item() == pytest.approx(0.02, rel=0.2), name
    projection = model.patch_embed.proj.weight
    assert projection.abs().max().item() == pytest.approx((6 / (192 + 3 * 256)) ** 0.5, rel=0.01)
    xavier_(model)
    assert model.blocks[0].attn.qkv.weight.abs().max().item() == pytest.approx((6 / 384) ** 0.5, rel=0.01)  # type: ignore
    assert model.blocks[0].mlp.fc1.weight.abs().max().item() == pytest.approx((6 / 960) ** 0.5, rel=0.01)  # type: ignore


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="5 heads do not divide the width 24"):
        tiny(heads=5)
    with pytest.raises(InputError, match="8 does not divide the image size of 28"):
        tiny(image_size=28)
    with pytest.raises(InputError, match=r"8 does not divide.*12x32"):
        tiny()(torch.randn(1, 3, 12, 32))
