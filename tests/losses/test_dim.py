import math

import pytest
import torch
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.dim import dim_dv, dim_info_nce, dim_jsd


def exact_info_nce(local, glob, **more):
    return dim_info_nce(local, glob, own_score=None, **more)


LOSSES = {"jsd": dim_jsd, "infonce": dim_info_nce, "infonce_exact": exact_info_nce, "dv": dim_dv}
every_loss = pytest.mark.parametrize("name", LOSSES)


@both_precisions
@every_loss
def test_loss_and_gradients(dtype, name):
    given, expected = tensors("dim_local", dtype), load("dim_local")
    local, glob = given["l"].requires_grad_(), given["m"].requires_grad_()
    loss = LOSSES[name](local, glob)
    loss.backward()
    assert_close(loss, expected[f"{name}_loss"], dtype)
    assert_close(local.grad, expected[f"{name}_grad_l"], dtype)
    assert_close(glob.grad, expected[f"{name}_grad_m"], dtype)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jsd", 0.0),
        ("dv", 0.0),
        ("infonce_exact", math.log(1 + 4 * 9)),
        ("infonce", math.log(1 + 4 * 9 + 9 * math.exp(-10))),
    ],
)
def test_globals_that_say_nothing(name, expected):
    """All scores 0: no information for JSD and DV, a guess among the candidates for InfoNCE."""
    local = torch.randn(5, 12, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert LOSSES[name](local, torch.zeros(5, 12, 2, dtype=torch.float64)).item() == pytest.approx(expected, abs=1e-12)


def maps(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in [(6, 3, 4), (6, 3, 2)])


@every_loss
def test_order_of_images_positions_and_globals_changes_nothing(name):
    local, glob = maps(1)
    images = torch.tensor([3, 1, 5, 0, 2, 4])
    moved = LOSSES[name](local[images].flip(2), glob[images].flip(2))
    torch.testing.assert_close(moved, LOSSES[name](local, glob))


@pytest.mark.parametrize("name", ["jsd", "infonce", "infonce_exact"])
def test_shares_of_a_gathered_batch_average_to_the_joined_loss(name):
    local, glob = maps(2)
    parts = [LOSSES[name](local, glob[at : at + 2], offset=at) for at in (0, 2, 4)]
    torch.testing.assert_close(torch.stack(parts).mean(), LOSSES[name](local, glob))


def test_donsker_varadhan_does_not_see_a_constant():
    """Adding one number to all scores cancels between the two terms."""
    local, glob = maps(3)
    ones_local = torch.cat([local, torch.ones(6, 1, 4, dtype=torch.float64)], dim=1)
    shifted = torch.cat([glob, torch.full((6, 1, 2), 2.5, dtype=torch.float64)], dim=1)
    torch.testing.assert_close(dim_dv(ones_local, shifted), dim_dv(local, glob))


@every_loss
def test_large_scores_stay_finite(name):
    local, glob = (100 * value.float() for value in maps(4))
    assert LOSSES[name](local, glob).isfinite()


@every_loss
def test_one_image_is_not_enough(name):
    with pytest.raises(AssertionError, match="second image"):
        LOSSES[name](torch.zeros(1, 3, 4), torch.zeros(1, 3, 1))
