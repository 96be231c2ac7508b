import math

import pytest
import torch
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.cpc import cpc_all_patches, cpc_sampled, draw_cpc_negatives


def check_gradients(given, expected, dtype):
    for name in ("z", "c", "W_k"):
        assert_close(given[name].grad, expected[f"grad_{name}"], dtype)


@both_precisions
def test_all_patches(dtype):
    given, expected = tensors("cpc_infonce_all", dtype), load("cpc_infonce_all")
    leaves = [given[name].requires_grad_() for name in ("z", "c", "W_k")]
    losses = cpc_all_patches(*leaves)
    losses.mean().backward()
    assert_close(losses, expected["loss_per_step"], dtype)
    assert_close(losses.mean(), expected["loss_mean"], dtype)
    check_gradients(given, expected, dtype)


@both_precisions
def test_sampled_patches(dtype):
    given, expected = tensors("cpc_infonce_sampled", dtype), load("cpc_infonce_sampled")
    leaves = [given[name].requires_grad_() for name in ("z", "c", "W_k")]
    negatives = [given[f"neg_idx_{step}"] for step in range(1, len(given["W_k"]) + 1)]
    losses = cpc_sampled(*leaves, negatives, skip=given["skip_step"].item())
    losses.mean().backward()
    assert_close(losses, expected["loss_per_step"], dtype)
    assert_close(losses.mean(), expected["loss_mean"], dtype)
    check_gradients(given, expected, dtype)


def grids(seed: int, images=2, channels=4, side=5, steps=2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    z, c = (torch.randn(images, channels, side, side, generator=generator, dtype=torch.float64) for _ in range(2))
    return z, c, torch.randn(steps, channels, channels, generator=generator, dtype=torch.float64)


def test_blind_predictions_leave_only_chance():
    z, c, weights = grids(0)
    blind = torch.zeros_like(weights)
    torch.testing.assert_close(cpc_all_patches(z, c, blind), torch.full((2,), math.log(50), dtype=torch.float64))
    negatives = draw_cpc_negatives(2, 2, 5, 5, 7, torch.Generator().manual_seed(0))
    found = cpc_sampled(z, c, blind, negatives)
    torch.testing.assert_close(found, torch.full((2,), math.log(8), dtype=torch.float64))


@pytest.mark.parametrize("skip", [0, 1])
def test_a_code_that_names_its_place_is_found_only_below_the_context(skip):
    """Codes say image and row; the context of row r names row r + 1 + skip of its image. Columns share a code."""
    images, side, reach = 2, 5, 1 + skip
    place = torch.eye(images * side).view(images, side, images * side)
    z = place.permute(0, 2, 1).unsqueeze(3).expand(-1, -1, -1, side)
    c = z.roll(-reach, dims=2)
    (right,) = cpc_all_patches(z, c, 50 * torch.eye(images * side)[None], skip=skip)
    assert right.item() == pytest.approx(math.log(side), abs=1e-4)  # only the columns remain unknown
    (wrong,) = cpc_all_patches(z, z, 50 * torch.eye(images * side)[None], skip=skip)
    assert wrong.item() > 40


def test_order_of_images_and_of_columns_changes_nothing():
    z, c, weights = grids(1)
    expected = cpc_all_patches(z, c, weights)
    torch.testing.assert_close(cpc_all_patches(z.flip(0), c.flip(0), weights), expected)
    torch.testing.assert_close(cpc_all_patches(z.roll(2, 3), c.roll(2, 3), weights), expected)


@pytest.mark.parametrize("skip", [0, 1])
def test_shares_of_a_gathered_batch_average_to_the_joined_losses(skip):
    z, c, weights = grids(3, images=6)
    parts = [cpc_all_patches(z, c[at : at + 2], weights, skip=skip, offset=at) for at in (0, 2, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(0), cpc_all_patches(z, c, weights, skip=skip))


def test_all_steps_must_land_in_the_grid():
    z, c, weights = grids(2, steps=5)
    with pytest.raises(AssertionError, match="grid of 5 rows"):
        cpc_all_patches(z, c, weights)


def test_drawn_places_cover_the_rows_of_their_step():
    draws = draw_cpc_negatives(3, 2, 5, 4, 200, torch.Generator().manual_seed(0))
    assert [tuple(draw.shape) for draw in draws] == [(3, 4, 2, 200), (2, 4, 2, 200), (1, 4, 2, 200)]
    assert [(draw.min().item(), draw.max().item()) for draw in draws] == [(0, 23), (0, 15), (0, 7)]


def test_share_of_a_lost_positive_is_held_up_by_eps():
    """The positive scores 0, the drawn negative 1000: its share is 0, and the loss -log(1e-11)."""
    z = torch.tensor([[[[0.0], [0.0], [1.0]]]])  # one image, one channel, three rows; rows 1 and 2 are targets
    c = torch.full((1, 1, 3, 1), 1000.0)
    losses = cpc_sampled(z, c, torch.ones(1, 1, 1), [torch.ones(2, 1, 1, 1, dtype=torch.int64)], skip=0)
    expected = (-math.log(1e-11) + math.log(2)) / 2  # row 2 draws itself: a coin toss
    assert losses.item() == pytest.approx(expected, rel=1e-5)
