import pytest
import torch
import torch.nn.functional as F

from pipelines.losses.memory_bank import bank_scores, draw_candidates, initial_bank, update_bank


def test_fresh_slots_have_squared_length_one_on_average_and_stay_in_bounds():
    bank = initial_bank(4000, 24, torch.Generator().manual_seed(0))
    assert bank.square().sum(dim=1).mean().item() == pytest.approx(1, abs=0.01)
    assert bank.abs().max().item() <= (3 / 24) ** 0.5


def test_candidates_start_with_the_own_slot_and_cover_all_others():
    index = torch.tensor([5, 0, 7])
    slots = draw_candidates(index, 8, 500, torch.Generator().manual_seed(0))
    assert slots.shape == (3, 501)
    assert torch.equal(slots[:, 0], index)
    assert all(set(row.tolist()) == set(range(8)) for row in slots[:, 1:])
    assert torch.equal(slots, draw_candidates(index, 8, 500, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("samples", [40, 400])  # 40 multiplies with the whole bank, 400 copies the slots
def test_scores_are_dot_products_with_the_drawn_slots(samples):
    generator = torch.Generator().manual_seed(0)
    bank, x = torch.randn(samples, 6, generator=generator), torch.randn(3, 6, generator=generator, requires_grad=True)
    slots = torch.randint(samples, (3, 11), generator=generator)
    found = bank_scores(x, bank, slots)
    expected = torch.stack([bank[slots[row]] @ x[row] for row in range(3)])
    torch.testing.assert_close(found, expected)
    weights = torch.randn(3, 11, generator=generator)
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)
    torch.testing.assert_close(gradient, torch.stack([weights[row] @ bank[slots[row]] for row in range(3)]))


def test_update_touches_only_the_visited_slots():
    generator = torch.Generator().manual_seed(0)
    bank, x = torch.randn(6, 4, generator=generator), torch.randn(2, 4, generator=generator)
    before, index = bank.clone(), torch.tensor([4, 1])
    update_bank(bank, index, x, 0.25)
    torch.testing.assert_close(bank[index], F.normalize(0.25 * before[index] + 0.75 * x, dim=1))
    untouched = [0, 2, 3, 5]
    assert torch.equal(bank[untouched], before[untouched])


def test_momentum_zero_stores_the_feature_and_one_only_normalises():
    bank = torch.tensor([[3.0, 4.0]])
    update_bank(bank, torch.tensor([0]), torch.tensor([[0.0, 1.0]]), 1.0)
    torch.testing.assert_close(bank, torch.tensor([[0.6, 0.8]]))
    update_bank(bank, torch.tensor([0]), torch.tensor([[0.0, 1.0]]), 0.0)
    torch.testing.assert_close(bank, torch.tensor([[0.0, 1.0]]))
