"""Blur against torchvision's gaussian_blur, and the bound on what is left out."""

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from pipelines.views.blur import FAINTEST, blur, blur_matrices, reach, scaled_sigma, spread


@pytest.mark.parametrize(("side", "taps"), [(32, 1), (24, 4), (9, 8), (70, 6)])
def test_blur_agrees_with_torchvision(side, taps):
    planes = torch.rand(3, 5, side, side, generator=torch.Generator().manual_seed(side))
    before, rows, sigmas = planes.clone(), torch.tensor([0, 3, 4]), [0.3, 1.1, 2.0]
    blur(planes, rows, torch.tensor(sigmas), taps)
    for row, sigma in zip(rows.tolist(), sigmas, strict=True):
        expected = reference.gaussian_blur(before[:, row], [2 * taps + 1] * 2, [sigma] * 2)
        assert torch.allclose(planes[:, row], expected, atol=2e-6, rtol=0)
    assert torch.equal(planes[:, 1:3], before[:, 1:3])


def test_images_need_not_be_square():
    planes = torch.rand(1, 1, 10, 14)
    expected = reference.gaussian_blur(planes[:, 0], [5, 5], [0.8, 0.8])
    blur(planes, torch.tensor([0]), torch.tensor([0.8]), 2)
    assert torch.allclose(planes[:, 0], expected, atol=2e-6)


def test_no_width_is_the_identity():
    assert torch.equal(blur_matrices(torch.zeros(2), 3, 8), torch.eye(8).expand(2, 8, 8))


def test_the_width_follows_the_side():
    assert scaled_sigma((0.1, 2.0), 224) == (0.1, 2.0)
    assert scaled_sigma((0.1, 2.0), 56) == (0.025, 0.5)
    assert (reach(2.0, 224), reach(2.0, 4), reach(0.01, 32)) == (8, 3, 1)


def test_what_is_left_out_moves_no_value_by_half_an_8_bit_step():
    worst = torch.zeros(1, 1, 9, 9)
    worst[..., 4, 4] = 1
    planes = worst.clone()
    blur(planes, torch.tensor([0]), torch.tensor([FAINTEST]), 3)
    change = float((planes - worst).abs().max())
    assert 0.9 / 510 < change <= 1 / 510


def test_what_no_step_changes_is_made_once_and_stays_as_it_is(monkeypatch):
    first, sigma = blur_matrices(torch.tensor([0.7]), 3, 12), torch.tensor([1.5])
    kept = spread(3, 12, sigma.device).clone()
    monkeypatch.setattr("torch.nn.functional.one_hot", lambda *_: pytest.fail("made again"))
    assert not torch.equal(blur_matrices(sigma, 3, 12), first)
    assert torch.equal(spread(3, 12, sigma.device), kept)
