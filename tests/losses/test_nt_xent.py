import math

import pytest
import torch
import torch.nn.functional as F
from parity_tools import assert_close, both_precisions, load, tensors

from pipelines.losses.info_nce import Contrast
from pipelines.losses.nt_xent import nt_xent
from pipelines.losses.pairs import pair_scores


def of_views(first, second, temperature, candidates=None, offset=0, code_scale=False) -> Contrast:
    return nt_xent(*pair_scores(first, second, candidates, offset), temperature, code_scale=code_scale)


@both_precisions
@pytest.mark.parametrize("scale", ["paper", "code"])
@pytest.mark.parametrize(("name", "temperature"), [("T01", 0.1), ("T05", 0.5)])
def test_loss_and_gradients(dtype, name, temperature, scale):
    given, expected = tensors("nt_xent", dtype), load("nt_xent")
    images = given["n_images"].item()
    hidden = given["hidden"].requires_grad_()
    z = F.normalize(hidden, dim=1)
    z.retain_grad()
    result = of_views(z[:images], z[images:], temperature, code_scale=scale == "code")
    result.loss.backward()
    assert_close(result.loss, expected[f"{name}_loss_{scale}"], dtype)
    assert_close(hidden.grad, expected[f"{name}_grad_hidden_{scale}"], dtype)
    assert_close(result.positive[:images] / temperature, expected[f"{name}_logits_ab"].diagonal(), dtype)
    if scale == "paper":
        assert_close(z.grad, expected[f"{name}_grad_z_paper"], dtype)


def unit_rows(count: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(count, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1)


def test_equal_rows_leave_only_chance():
    z = F.normalize(torch.ones(4, 8), dim=1)
    assert of_views(z, z, 0.5).loss.item() == pytest.approx(math.log(7))  # 2N - 1 equal candidates


def test_order_of_views_and_of_images_changes_nothing():
    first, second, order = unit_rows(6, 0), unit_rows(6, 1), torch.tensor([3, 1, 5, 0, 2, 4])
    expected = of_views(first, second, 0.3).loss
    torch.testing.assert_close(of_views(second, first, 0.3).loss, expected)
    torch.testing.assert_close(of_views(first[order], second[order], 0.3).loss, expected)


def test_negatives_are_all_rows_but_the_anchor_and_its_partner():
    first, second = unit_rows(3, 2), unit_rows(3, 3)
    rows = torch.cat([first, second])
    result = of_views(first, second, 0.3)
    for anchor in range(6):
        left = [row for row in range(6) if row not in (anchor, (anchor + 3) % 6)]
        torch.testing.assert_close(result.negative[anchor], rows[left] @ rows[anchor])


def test_shares_of_a_gathered_batch_average_to_the_joined_loss_and_gradient():
    leaves = [unit_rows(6, 4).requires_grad_(), unit_rows(6, 5).requires_grad_()]
    joined = of_views(*leaves, 0.3).loss
    expected = torch.autograd.grad(joined, leaves)
    first, second = leaves
    parts = [
        of_views(first[at : at + 2], second[at : at + 2], 0.3, candidates=(first, second), offset=at).loss
        for at in (0, 2, 4)
    ]
    shared = torch.stack(parts).mean()
    torch.testing.assert_close(shared, joined)
    torch.testing.assert_close(torch.autograd.grad(shared, leaves), expected)


def test_share_that_does_not_fit_is_noticed():
    z = unit_rows(4, 6)
    with pytest.raises(AssertionError, match="do not fit"):
        of_views(z[:2], z[:2], 0.3, candidates=(z, z), offset=3)
