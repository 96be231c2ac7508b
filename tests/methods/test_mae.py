"""MAE: the released network with its weights, what the encoder may see, and what the pictures show."""

import pytest
import torch
from methods.tools import batch, progress
from parity_noncontrastive import assert_close
from parity_tools import both_precisions, load, tensors
from torch import Tensor
from trainer_tools import small_method, small_options, small_trainer

from pipelines.encoders import build_encoder
from pipelines.encoders.vit import ViT
from pipelines.errors import InputError
from pipelines.losses.mae import mae_loss, normalised_pixels, patchify, random_masking
from pipelines.methods.base import DataFacts
from pipelines.methods.mae import MAE, Decoder, build
from pipelines.spec.encoders import resnet, vit
from pipelines.spec.methods.mae import Options
from pipelines.spec.training import Training

DECODER = {"decoder_embed": "embed", "decoder_blocks": "blocks", "decoder_norm": "norm", "decoder_pred": "pred"}


def own_name(name: str) -> str:
    """The fixture's parameter name -> ours."""
    first, _, rest = name.replace("__", ".").partition(".")
    if first in DECODER:
        return f"decoder.{DECODER[first]}.{rest}"
    return "decoder.mask_token" if first == "mask_token" else f"encoder.{name.replace('__', '.')}"


def released(dtype: torch.dtype) -> tuple[MAE, dict[str, Tensor]]:
    """The fixture's network, its weights loaded strictly, and the fixture."""
    given = tensors("mae_forward", dtype)
    constant = {name: int(given[name]) for name in ("patch_size", "num_heads", "decoder_num_heads", "depth")}
    width, code = given["decoder_embed__weight"].shape
    patch, side = constant["patch_size"], given["images"].shape[-1]
    ratio = len(given["blocks__0__mlp__fc1__bias"]) / code
    options = Options(
        mask_ratio=float(given["mask_ratio"]),
        decoder_width=width,
        decoder_depth=int(given["decoder_depth"]),
        decoder_heads=constant["decoder_num_heads"],
    )
    encoder = ViT(code, constant["depth"], constant["num_heads"], patch, side, position="sincos", mlp_ratio=ratio)
    decoder = Decoder(
        code, width, options.decoder_depth, options.decoder_heads, side // patch, 3 * patch**2, mlp_ratio=ratio
    )
    method = MAE(options, encoder, decoder).to(dtype)
    weights = {own_name(name): given[name] for name in given if "__" in name and not name.startswith("grad_")}
    weights |= {own_name(name): given[name] for name in ("cls_token", "mask_token")}
    codes = {"encoder.pos_embed": given["pos_embed"], "decoder.pos_embed": given["decoder_pos_embed"]}
    for name, code in codes.items():  # made in float32 here and there
        torch.testing.assert_close(method.state_dict()[name][0], code, rtol=0, atol=2e-6)
    method.load_state_dict({**weights, **{name: code.unsqueeze(0) for name, code in codes.items()}}, strict=True)
    return method, given


@both_precisions
def test_equals_the_released_network(dtype):
    method, given = released(dtype)
    expected = load("mae_forward")
    rebuilt = method.rebuild(given["images"], given["noise"])
    assert rebuilt.masking.restore.tolist() == expected["ids_restore"].tolist()
    assert_close(rebuilt.masking.mask, expected["mask"], dtype)
    assert_close(rebuilt.latent, expected["latent"], dtype)
    assert_close(rebuilt.prediction, expected["pred"], dtype)
    loss = mae_loss(given["images"], rebuilt.prediction, rebuilt.masking.mask, method.encoder.patch, norm_pix=True)
    assert_close(loss, expected["loss"], dtype)
    loss.backward()
    parameters = dict(method.named_parameters())
    compared = [name.removeprefix("grad_") for name in expected if name.startswith("grad_")]
    assert len(compared) == 5
    for name in compared:
        assert_close(parameters[own_name(name)].grad, expected[f"grad_{name}"], dtype)


@pytest.mark.parametrize("norm_pix", [True, False])
def test_the_loss_masks_with_this_steps_generator_and_nothing_else(norm_pix):
    method = small_method(small_options("mae", norm_pix=norm_pix)).double()
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    state = torch.get_rng_state()
    output = method.loss([images], batch(3), progress(seed=4))
    assert torch.equal(torch.get_rng_state(), state)
    rebuilt = method.rebuild(images, torch.rand(3, 16, generator=progress(seed=4).generator))
    expected = mae_loss(images, rebuilt.prediction, rebuilt.masking.mask.double(), 4, norm_pix)
    torch.testing.assert_close(output.loss, expected)
    embeddings = output.watched["embeddings"]
    assert embeddings.shape == (3, 64)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_masked_pixels_do_not_reach_the_encoder_and_visible_ones_do():
    method = small_method(small_options("mae"))
    images, noise = torch.randn(2, 3, 16, 16), torch.rand(2, 16)
    mask = random_masking(noise, 0.75).mask
    assert mask.sum(1).tolist() == [12, 12]
    pixels = mask.view(2, 1, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    before = method.rebuild(images, noise).latent
    assert before.shape == (2, 5, 64)
    assert torch.equal(before, method.rebuild(images + 9 * pixels, noise).latent)
    assert not torch.allclose(before, method.rebuild(images + 9 * (1 - pixels), noise).latent)


def test_the_code_of_a_visible_patch_goes_to_its_own_place():
    """With blocks that change nothing, a prediction depends on its own patch's token alone."""
    method = small_method(small_options("mae"))
    for block in method.decoder.blocks:
        for layer in (block.attn.proj, block.mlp.fc2):
            torch.nn.init.zeros_(layer.weight)
    noise = torch.rand(1, 16)
    masking = random_masking(noise, 0.75)
    latent = torch.randn(1, 5, 64)
    changed = latent.clone()
    changed[0, 2] += 1  # token 0 is the class token, so this is the second visible patch
    one, other = (method.decoder(codes, masking.restore, rows=4) for codes in (latent, changed))
    differing = (one != other).any(dim=2).nonzero()[:, 1].tolist()
    assert differing == [int(masking.keep[0, 1])]
    assert masking.mask[0, differing[0]] == 0


def test_a_perfect_prediction_gives_back_the_picture_itself():
    method = small_method(small_options("mae"))
    images = torch.randn(3, 3, 16, 16)
    rebuild = method.rebuild

    def perfectly(x: Tensor, noise: Tensor):
        return rebuild(x, noise)._replace(prediction=normalised_pixels(patchify(x, 4)))

    method.rebuild = perfectly
    (picture,) = method.pictures(images, torch.Generator().manual_seed(0)).values()
    assert picture.shape == (3, 48, 48)
    top, middle, bottom = picture.split(16, dim=1)
    assert torch.equal(top, torch.cat(list(images), dim=2))
    torch.testing.assert_close(bottom, top, rtol=1e-4, atol=1e-4)
    hidden = (middle == 0).float().mean().item()
    assert hidden == pytest.approx(0.75)
    assert torch.equal(middle[middle != 0], top[middle != 0])


def test_predicting_is_learnt_better_than_the_mean_of_each_patch():
    """A mean-only predictor scores (v - 1) / v under norm_pix, v values a patch; stripes are easily better than that."""
    trainer = small_trainer(
        small_options("mae", decoder_width=32), epochs=60, optimizer="adamw", lr_scaling="none", lr_per_256=3e-3
    )
    stripes = torch.arange(16) % 4 * 60
    trainer.data.images = stripes.to(torch.uint8).expand(48, 3, 16, 16).contiguous()
    trainer.make_views = lambda given, generator: [given.images.float() / 127.5 - 1]
    assert trainer.fit().metrics["final/train/loss"] < 0.1 * 47 / 48


@pytest.mark.parametrize(
    ("options", "encoder", "message"),
    [
        ({}, resnet.Options(), "a resnet cannot; give it a vit"),
        ({}, vit.Options(drop_path=0.1), "pretrains without; leave it out"),
        (
            {"decoder_width": 100},
            vit.Options(),
            "decoder_width 100 must be a multiple of decoder_heads (16); 96 would do",
        ),
        (
            {"decoder_width": 18, "decoder_heads": 3},
            vit.Options(),
            "decoder_width 18 must be a multiple of 4, for its position code (4); 16 would do",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(options, encoder, message):
    with pytest.raises(ValueError) as error:
        Options(**options).check(Training(), encoder, None)
    assert message in str(error.value)


@pytest.mark.parametrize(("patch", "ratio", "kept"), [(16, 0.75, 0), (8, 0.8, 0), (8, 1e-20, 4)])
def test_a_ratio_that_hides_all_patches_or_none_is_refused(patch, ratio, kept):
    def make():
        return build_encoder(vit.Options(size="micro", patch=patch), 16)

    with pytest.raises(InputError, match=f"leaves {kept} visible"):
        build(Options(mask_ratio=ratio), make, DataFacts(64, 4, 16))


def test_a_ratio_is_cut_off_not_rounded():
    method = build(
        Options(mask_ratio=0.1, decoder_width=16, decoder_depth=1, decoder_heads=2),
        lambda: build_encoder(vit.Options(size="micro", patch=8), 16),
        DataFacts(64, 4, 16),
    )
    rebuilt = method.rebuild(torch.randn(2, 3, 16, 16), torch.rand(2, 4))
    assert rebuilt.masking.mask.sum(1).tolist() == [1, 1]  # int(4 x 0.9) = 3 stay


def test_another_encoder_is_refused():
    with pytest.raises(InputError, match="use encoder: vit"):
        build(
            Options(), lambda: build_encoder(resnet.Options(depth=10, width=8, stem="small"), 16), DataFacts(64, 4, 16)
        )
