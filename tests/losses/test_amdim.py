import math

import pytest
import torch
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.amdim import amdim, block, draw_positions, tanh_clip


@both_precisions
def test_whole_objective_and_gradients(dtype):
    given, expected = tensors("amdim_nce", dtype), load("amdim_nce")
    maps = {view: tuple(given[f"r{scale}_x{view}"].requires_grad_() for scale in (1, 5, 7)) for view in (1, 2)}
    result = amdim(maps[1], maps[2], given["src5_loc_x1"], given["src5_loc_x2"], clip=given["tclip"].item())
    result.loss.backward()
    assert_close(result.one_to_five, expected["loss_1t5"], dtype)
    assert_close(result.one_to_seven, expected["loss_1t7"], dtype)
    assert_close(result.five_to_five, expected["loss_5t5"], dtype)
    assert_close(result.penalty, expected["lgt_reg"], dtype)
    assert_close(result.loss, expected["loss_total"], dtype)
    for view in (1, 2):
        for scale in (1, 5, 7):
            assert_close(given[f"r{scale}_x{view}"].grad, expected[f"grad_r{scale}_x{view}"], dtype)


@both_precisions
def test_one_block(dtype):
    given, expected = tensors("amdim_nce", dtype), load("amdim_nce")
    source, flat = given["block_src"].requires_grad_(), given["block_trg"].requires_grad_()
    target = flat.view(flat.shape[0], len(source), -1).transpose(0, 1)  # stored (C, N P), image-major
    result = block(source, target, clip=given["tclip"].item())
    result.loss.backward()
    assert_close(result.log_share, expected["block_nce_scores"], dtype)
    assert_close(result.positive, expected["block_pos_scores"], dtype)
    assert_close(result.loss, expected["block_loss"], dtype)
    assert_close(result.penalty, expected["block_lgt_reg"], dtype)
    assert_close(source.grad, expected["block_grad_src"], dtype)
    assert_close(flat.grad, expected["block_grad_trg"], dtype)


@both_precisions
def test_clip(dtype):
    given, expected = tensors("amdim_nce", dtype), load("amdim_nce")
    assert_close(tanh_clip(given["clip_in"], given["tclip"].item()), expected["clip_out"], dtype)


def test_sources_that_say_nothing_leave_only_chance():
    target = torch.randn(4, 6, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = block(torch.zeros(4, 6, dtype=torch.float64), target)
    assert result.loss.item() == pytest.approx(math.log(1 + 3 * 9))
    assert result.penalty.item() == 0


def test_own_other_positions_do_not_count():
    """Changing one position of an image leaves the terms of its other positions with the same source as they are."""
    generator = torch.Generator().manual_seed(1)
    source, target = torch.randn(3, 4, generator=generator), torch.randn(3, 4, 5, generator=generator)
    before = block(source, target).log_share
    target[1, :, 2] += 1.0
    after = block(source, target).log_share
    kept = [0, 1, 3, 4]
    assert torch.equal(after[1, kept], before[1, kept])
    assert after[1, 2] != before[1, 2]
    assert (after[0] != before[0]).all()


def test_views_can_be_exchanged():
    generator = torch.Generator().manual_seed(2)
    maps = [tuple(torch.randn(3, 4, s, s, generator=generator) for s in (1, 2, 3)) for _ in range(2)]
    places = [draw_positions(3, 4, generator) for _ in range(2)]
    torch.testing.assert_close(amdim(maps[0], maps[1], *places), amdim(maps[1], maps[0], *reversed(places)))


def test_shares_of_a_gathered_batch_average_to_the_joined_block():
    generator = torch.Generator().manual_seed(3)
    source, target = torch.randn(6, 4, generator=generator), torch.randn(6, 4, 5, generator=generator)
    joined = block(source, target)
    parts = [block(source[at : at + 2], target, offset=at) for at in (0, 2, 4)]
    torch.testing.assert_close(torch.stack([part.loss for part in parts]).mean(), joined.loss)
    torch.testing.assert_close(torch.stack([part.penalty for part in parts]).mean(), joined.penalty)


def test_shares_of_a_gathered_batch_average_to_the_whole_objective():
    generator = torch.Generator().manual_seed(4)
    views = [tuple(torch.randn(6, 4, side, side, generator=generator) for side in (1, 2, 3)) for _ in range(2)]
    places = [draw_positions(6, 4, generator) for _ in range(2)]
    joined, parts = amdim(*views, *places), []
    for at in (0, 2, 4):
        mine = [tuple(features[at : at + 2] for features in maps) for maps in views]
        some = [positions[at : at + 2] for positions in places]
        parts.append(torch.stack(amdim(*mine, *some, everyone=tuple(views), offset=at)))
    torch.testing.assert_close(torch.stack(parts).mean(0), torch.stack(joined))


def test_places_lie_in_the_map():
    places = draw_positions(2000, 25, torch.Generator().manual_seed(0))
    assert places.dtype == torch.int64
    assert set(places.tolist()) == set(range(25))
