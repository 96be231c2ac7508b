"""CMC: both directions as released, the views of an image, pairs of many views, and data that cannot serve."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from methods.tools import LinearEncoder, batch, progress
from parity_tools import assert_close, both_precisions, load, tensors
from torch import Tensor, nn

from pipelines.batch import Batch
from pipelines.errors import InputError
from pipelines.losses.info_nce import info_nce_from_scores
from pipelines.methods import bank
from pipelines.methods.base import DataFacts
from pipelines.methods.cmc import CMC, build, directions
from pipelines.methods.split import SplitEncoder, split_image, unsigned_gradient
from pipelines.spec.methods.cmc import Options
from pipelines.views.spaces import HALF_RANGE, MIDDLE, convert


class FirstChannel(nn.Module):
    """(N, C, 1, D) -> (N, D)."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0, 0]


@both_precisions
@pytest.mark.parametrize(("form", "prefix"), [("nce", "nce"), ("info_nce", "softmax")])
def test_both_directions_are_those_of_the_released_code(monkeypatch, dtype, form, prefix):
    x, expected = tensors("cmc_contrast", dtype), load("cmc_contrast")
    monkeypatch.setattr(bank, "draw_candidates", lambda index, num_samples, num_negatives, generator: x["idx"])
    dim, count = x["l_raw"].shape[1], int(x["n_data"])
    options = Options(
        loss=form, temperature=float(x["T"]), bank_momentum=float(x["m"]), dim=dim, num_negatives=int(x["K"])
    )
    branches = [LinearEncoder(dim, FirstChannel()) for _ in range(2)]
    method = CMC(options, SplitEncoder("lab", branches), [], [nn.Identity(), nn.Identity()], count).to(dtype)
    for slots, name in zip(method.banks, ("memory_l_init", "memory_ab_init"), strict=True):
        slots.slots.copy_(x[name])
    image = torch.stack((x["l_raw"], x["ab_raw"], torch.zeros_like(x["l_raw"])), dim=1)[:, :, None].requires_grad_()
    output = method.loss([image], batch(len(image), index=x["y"]), progress())
    output.loss.backward()
    assert_close(output.loss, expected[f"{prefix}_loss"], dtype)
    assert_close(output.scalars["loss_0_to_1"], expected[f"{prefix}_loss_l"], dtype)
    assert_close(output.scalars["loss_1_to_0"], expected[f"{prefix}_loss_ab"], dtype)
    assert_close(image.grad[:, 0, 0], expected[f"{prefix}_grad_l_raw"], dtype)
    assert_close(image.grad[:, 1, 0], expected[f"{prefix}_grad_ab_raw"], dtype)
    if form == "nce":
        assert_close(method.question.log_z.exp(), np.stack([expected["Z_l"], expected["Z_ab"]]), dtype)
    method.after_step(progress())
    for slots, name in zip(method.banks, ("memory_l_after", "memory_ab_after"), strict=True):
        assert_close(slots.slots, expected[name], dtype)


def made(fields: dict[str, int] | None = None, **options: object) -> CMC:
    """CMC whose encoders average every channel over the image."""
    torch.manual_seed(0)
    given = Options(dim=6, num_negatives=9, fields=fields or {}, **options)

    def make_encoder(in_channels: int = 3) -> LinearEncoder:
        return LinearEncoder(in_channels, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))

    return build(given, make_encoder, DataFacts(30, 2, 8))


def colours(count: int = 8) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def with_fields(count: int = 8, **channels: int) -> Batch:
    generator = torch.Generator().manual_seed(2)
    fields = {
        name: torch.randint(0, 256, (count, c, 8, 8), generator=generator, dtype=torch.uint8)
        for name, c in channels.items()
    }
    return Batch(None, torch.arange(count), torch.zeros(count, dtype=torch.int64), fields=fields)


def test_the_evaluated_encoder_takes_the_image_and_has_both_branches_side_by_side():
    method, image = made(), colours()
    features = method.encoder(image)
    torch.testing.assert_close(features, image.mean((2, 3)))  # L, then a and b
    assert (features.shape[1], method.encoder.width, method.encoder.map_widths) == (3, 3, (3,))


@pytest.mark.parametrize("core", [False, True])
def test_pairs_of_views(core):
    assert directions(2, core) == [(0, 1), (1, 0)]
    expected = {(i, j) for i in range(4) for j in range(4) if i != j and (not core or 0 in (i, j))}
    assert set(directions(4, core)) == expected


@pytest.mark.parametrize(("pairs", "count"), [("full", 12), ("core", 6)])
def test_all_directions_are_summed_over_image_views_and_fields(pairs, count):
    method, now = made({"depth": 1, "normals": 3}, pairs=pairs, loss="info_nce"), with_fields(depth=1, normals=3)
    output = method.loss([colours()], now, progress())
    losses = [value for name, value in output.scalars.items() if name.startswith("loss_")]
    assert len(losses) == count
    torch.testing.assert_close(output.loss.detach(), torch.stack(losses).sum())
    output.loss.backward()
    assert all(head.weight.grad.abs().max() > 0 for head in method.heads)


def test_a_direction_is_the_anchor_against_the_other_views_bank(monkeypatch):
    method, now = made({"depth": 1}, loss="info_nce", joint_crop=(1.0, 1.0), joint_flip=0.0), with_fields(depth=1)
    slots = torch.randint(30, (8, 10), generator=torch.Generator().manual_seed(3))
    slots[:, 0] = torch.arange(8)
    monkeypatch.setattr(bank, "draw_candidates", lambda index, num_samples, num_negatives, generator: slots)
    output = method.loss([colours()], now, progress())
    depth = (now.fields["depth"].float() / 127.5 - 1).mean((2, 3))
    anchor = F.normalize(method.heads[2](depth), dim=1)
    scores = torch.stack([method.banks[0].slots[slots[row]] @ anchor[row] for row in range(8)])
    expected = info_nce_from_scores(scores[:, 0], scores[:, 1:], 0.07)
    torch.testing.assert_close(output.scalars["loss_2_to_0"], expected.detach())


def test_each_view_is_stored_in_its_own_bank():
    method = made(bank_momentum=0.0)
    before = [one.slots.clone() for one in method.banks]
    image = colours()
    method.loss([image], batch(8), progress())
    method.after_step(progress())
    for head, channels, one, old in zip(method.heads, (slice(0, 1), slice(1, 3)), method.banks, before):
        stored = F.normalize(head(image[:, channels].mean((2, 3))), dim=1)
        torch.testing.assert_close(one.slots[:8], stored)
        assert torch.equal(one.slots[8:], old[8:])


@pytest.mark.parametrize("split", ["lab", "ycbcr", "ydbdr"])
def test_grey_images_are_refused_where_colour_is_a_view(split):
    def normalised(rgb: Tensor) -> Tensor:
        shape = (3, 1, 1, 1)
        planes = convert(rgb, split)
        return (
            (planes - torch.tensor(MIDDLE[split]).view(shape)) / torch.tensor(HALF_RANGE[split]).view(shape)
        ).transpose(0, 1)

    grey = torch.rand(1, 8, 8, 8, generator=torch.Generator().manual_seed(0)).expand(3, -1, -1, -1)
    with pytest.raises(InputError, match=r"the images are grey.*split: edges"):
        made(split=split).loss([normalised(grey)], batch(8), progress())
    tinted = grey * torch.tensor([1.0, 0.9, 1.0]).view(3, 1, 1, 1)
    assert made(split=split).loss([normalised(tinted)], batch(8), progress()).loss.isfinite()
    assert made(split="edges").loss([grey.transpose(0, 1)], batch(8), progress()).loss.isfinite()


def test_edges_of_a_ramp_are_its_slope_at_the_double_angle():
    down, right = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    for ramp, expected in ((3 * right, (3.0, 0.0)), (3 * down, (-3.0, 0.0)), (3 * (right + down), (0.0, 3 * 2**0.5))):
        inner = unsigned_gradient(ramp[None, None])[0, :, 1:-1, 1:-1]
        torch.testing.assert_close(inner, torch.tensor(expected).view(2, 1, 1).expand_as(inner))


def test_edges_do_not_tell_light_from_dark_and_are_finite_on_a_flat_image():
    grey = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(unsigned_gradient(grey), unsigned_gradient(5 - grey), atol=1e-5, rtol=1e-4)
    assert torch.equal(unsigned_gradient(torch.ones(1, 1, 8, 8)), torch.zeros(1, 2, 8, 8))
    first, second = split_image(colours(), "edges")
    torch.testing.assert_close(first, colours().mean(1, keepdim=True))
    assert second.shape == (8, 2, 8, 8)


def test_a_missing_field_and_a_wrong_number_of_channels_are_named():
    with pytest.raises(InputError, match=r"fields\.depth: the data set has no such field, it has \['normals'\]"):
        made({"depth": 1}).loss([colours()], with_fields(normals=3), progress())
    with pytest.raises(InputError, match=r"fields\.depth: 1 channels, the data set has 3; write 3"):
        made({"depth": 1}).loss([colours()], with_fields(depth=3), progress())


def test_one_view_alone_is_refused():
    with pytest.raises(ValueError, match="split none leaves one view"):
        Options(split="none")
    assert len(made({"depth": 1}, split="none").heads) == 2


def test_with_fields_the_recipe_leaves_the_crop_to_the_method():
    (alone,), (beside,) = Options().default_views(32).kinds, Options(fields={"depth": 1}).default_views(32).kinds
    assert (alone.colour, alone.scale, alone.flip) == ("lab", (0.2, 1.0), 0.5)
    assert (beside.colour, beside.scale, beside.ratio, beside.flip) == ("lab", (1.0, 1.0), (1.0, 1.0), 0.0)
    assert Options(split="edges").default_views(32).kinds[0].colour == "rgb"


def test_feature_maps_are_side_by_side_too():
    method, image = made(), colours()
    (maps,) = method.encoder.feature_maps(image)
    torch.testing.assert_close(maps[:, :, 0, 0], image.mean((2, 3)))
