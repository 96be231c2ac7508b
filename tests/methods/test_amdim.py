"""AMDIM: the whole objective through the method, its scales, and its views."""

from dataclasses import replace

import pytest
import torch
from methods.tools import batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from torch import nn
from trainer_tools import small_method, small_options

from pipelines.encoders.base import Encoder
from pipelines.errors import InputError
from pipelines.losses.amdim import amdim
from pipelines.methods import amdim as amdim_method
from pipelines.methods.amdim import AMDIM
from pipelines.methods.joint_draws import joint_draws
from pipelines.spec.encoders.vit import Options as ViT
from pipelines.spec.methods.amdim import Options
from pipelines.spec.training import Training
from pipelines.views.maker import ViewMaker


class Given(Encoder):
    """Three maps of both views, one after the other, that are parameters."""

    def __init__(self, one: torch.Tensor, middle: torch.Tensor, large: torch.Tensor) -> None:
        super().__init__()
        self.width, self.map_widths = one.shape[1], (large.shape[1], middle.shape[1])
        self.one, self.middle, self.large = nn.Parameter(one), nn.Parameter(middle), nn.Parameter(large)

    def forward(self, images):
        return self.one.flatten(1)

    def feature_maps(self, images):
        return [self.large, self.middle]


@both_precisions
def test_terms_and_gradients_are_the_reference(dtype, monkeypatch):
    given, expected = tensors("amdim_nce", dtype), load("amdim_nce")
    encoder = Given(*(torch.cat([given[f"r{scale}_x1"], given[f"r{scale}_x2"]]) for scale in (1, 5, 7)))
    method = AMDIM(Options(clip=given["tclip"].item()), encoder, middle=1, large=0).to(dtype)
    method.embed_one = method.embed_middle = method.embed_large = nn.Identity()
    places = iter([given["src5_loc_x1"], given["src5_loc_x2"]])
    monkeypatch.setattr(amdim_method, "draw_positions", lambda *_: next(places))
    output = method.loss([torch.zeros(4, 1)] * 2, batch(4), progress())
    output.loss.backward()
    assert_close(output.loss, expected["loss_total"], dtype)
    for name, key in {"one_to_five": "1t5", "one_to_seven": "1t7", "five_to_five": "5t5"}.items():
        assert_close(output.scalars[name], expected[f"loss_{key}"], dtype)
    assert_close(output.scalars["penalty"], expected["lgt_reg"], dtype)
    for scale, weight in ((1, encoder.one), (5, encoder.middle), (7, encoder.large)):
        both = torch.cat([torch.from_numpy(expected[f"grad_r{scale}_x{view}"]) for view in (1, 2)])
        assert_close(weight.grad, both, dtype)


def pair() -> list[torch.Tensor]:
    return list(torch.randn(2, 6, 3, 16, 16, generator=torch.Generator().manual_seed(0)))


def test_scales_are_maps_of_the_encoder():
    method = small_method(small_options("amdim")).eval()
    assert (method.middle, method.large) == (2, 1)  # 4 x 4 and 8 x 8 of 16 pixels
    chosen = small_method(small_options("amdim", middle=3, large=0))
    assert (chosen.middle, chosen.large) == (3, 0)
    assert chosen.embed_large.shortcut.in_channels == chosen.encoder.map_widths[0]
    with pytest.raises(InputError, match="middle: 9"):
        small_method(small_options("amdim", middle=9))
    with pytest.raises(InputError, match="large: 4"):
        small_method(small_options("amdim", large=4))


def test_the_method_is_its_loss_over_its_embeddings():
    """Written out view by view, with batch norm in eval mode."""
    method = small_method(small_options("amdim", clip=4.0, penalty=0.3)).eval()
    found = method.loss(pair(), batch(6), progress())
    maps = []
    for view in pair():
        features = method.encoder.feature_maps(view)
        one = method.embed_one(features[3].mean((2, 3)))[:, :, None, None]
        maps.append((one, method.embed_middle(features[2]), method.embed_large(features[1])))
    source = progress().joint
    places = [joint_draws(lambda count, g: torch.randint(16, (count,), generator=g), 6, source) for _ in range(2)]
    expected = amdim(*maps, *places, clip=4.0, penalty=0.3)
    torch.testing.assert_close(found.loss, expected.loss)
    torch.testing.assert_close(found.scalars["penalty"], expected.penalty.detach())


def test_the_size_of_the_compared_features():
    plain, resized = small_method(small_options("amdim", dim=None)), small_method(small_options("amdim", dim=8))
    assert isinstance(plain.embed_one[0], nn.Identity)
    assert plain.embed_middle.shortcut.out_channels == plain.encoder.width
    assert (resized.embed_one[0].weight - torch.eye(8, resized.encoder.width)).abs().max() <= 0.01
    embeddings = resized.loss(pair(), batch(6), progress()).watched["embeddings"]
    assert embeddings.shape == (6, 8)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(6))


def test_views_share_their_flip_and_nothing_else():
    recipe = Options().default_views(16)
    assert recipe.shared_flip
    assert [kind.translate for kind in recipe.kinds] == [2, 2]
    quiet = recipe.kinds[0].model_copy(
        update={"jitter_prob": 0.0, "grayscale": 0.0, "translate": 0, "scale": (1.0, 1.0)}
    )
    maker = ViewMaker(
        recipe.model_copy(update={"augmentations": (quiet.model_copy(update={"ratio": (1.0, 1.0)}),)}), 16, [0.5], [1.0]
    )
    source = torch.Generator().manual_seed(1)
    images = replace(batch(40), images=torch.randint(0, 256, (40, 3, 16, 16), generator=source, dtype=torch.uint8))
    first, second = maker(images, torch.Generator().manual_seed(0))
    torch.testing.assert_close(first, second)
    plain = images.images.float() / 255 - 0.5
    flipped = [bool((view - image).abs().max() > 0.01) for view, image in zip(first, plain)]
    assert 5 < sum(flipped) < 35


def test_views_of_other_sizes():
    large = Options().default_views(128).kinds[0]
    assert (large.scale, large.ratio, large.translate, large.jitter[3]) == ((0.3, 1.0), (0.7, 1.4), 0, 0.1)
    assert Options().default_views(64).kinds[0].jitter[3] == 0.2
    assert (Options().default_views(32).kinds[0].translate, Options().default_views(32).kinds[0].translate_prob) == (
        4,
        0.8,
    )


def test_draws_for_all_processes_follow_the_generator():
    def draw(count, generator):
        return torch.randint(1000, (count,), generator=generator)

    one, again, other = (joint_draws(draw, 50, progress(step).generator) for step in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    source = progress().generator
    assert not torch.equal(joint_draws(draw, 50, source), joint_draws(draw, 50, source))


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="use resnet"):
        Options().check(Training(), ViT(), None)
    with pytest.raises(InputError, match="set count: 2"):
        small_method(small_options("amdim")).loss([torch.zeros(6, 3, 16, 16)], batch(6), progress())
