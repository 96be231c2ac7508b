"""Colour spaces against the arrays of scikit-image and the constants of CMC."""

import pytest
import torch
from parity_tools import assert_close, both_precisions, load

from pipelines.views.spaces import HALF_RANGE, MIDDLE, convert, to_rgb


@both_precisions
@pytest.mark.parametrize("space", ["lab", "ycbcr", "ydbdr"])
def test_colour_space_matches_the_reference(space, dtype):
    fixture = load("cmc_colour")
    planes = torch.from_numpy(fixture["rgb"]).permute(2, 0, 1).to(dtype) / 255
    ours = convert(planes, space)
    normalised = torch.stack([(p - m) / h for p, m, h in zip(ours, MIDDLE[space], HALF_RANGE[space], strict=True)])
    assert_close(ours, fixture[space].transpose(2, 0, 1), dtype)
    assert_close(normalised, fixture[f"{space}_norm"].transpose(2, 0, 1), dtype)


@pytest.mark.parametrize("space", ["lab", "ycbcr", "ydbdr"])
def test_constants_are_those_of_the_reference(space):
    fixture = load("cmc_colour")
    assert pytest.approx(fixture[f"{space}_mean"].tolist(), rel=1e-12) == MIDDLE[space]
    assert pytest.approx(fixture[f"{space}_std"].tolist(), rel=1e-12) == HALF_RANGE[space]


def test_one_channel_is_grey_in_lab():
    lab = convert(torch.rand(1, 2, 4, 4), "lab")
    assert lab[0].min() >= 0
    assert lab[0].max() <= 100
    assert lab[1:].abs().max() < 0.02  # the matrix and the white point are rounded to five digits


@pytest.mark.parametrize("space", ["lab", "ycbcr", "ydbdr"])
def test_the_way_back_gives_the_colours_again(space):
    planes = torch.rand(3, 200, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_rgb(convert(planes, space), space), planes, rtol=0, atol=2e-3)
