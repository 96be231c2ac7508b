"""Colour operations against torchvision's functional transforms on float images, at fixed factors and orders."""

import itertools

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from pipelines.views.hue import shift_hue
from pipelines.views.jitter import BRIGHTNESS, CONTRAST, SATURATION, JitterDraw, draw_jitter, jitter, luma
from pipelines.views.pixels import make_grey, solarize

TOLERANCE = 3e-4  # torchvision's grey weights sum to 0.9999, ours (PIL's) to 1
HUE = 3
THEIRS = {
    BRIGHTNESS: reference.adjust_brightness,
    CONTRAST: reference.adjust_contrast,
    SATURATION: reference.adjust_saturation,
    HUE: reference.adjust_hue,
}


def images(num: int, side: int = 12) -> torch.Tensor:
    """Planes (3, num, side, side) with pure colours, black, white, greys and ties among them."""
    planes = torch.rand(3, num, side, side, generator=torch.Generator().manual_seed(num))
    corners = torch.tensor(list(itertools.product([0.0, 0.5, 1.0], repeat=3))).T  # (3, 27)
    planes.flatten(2)[:, :, :27] = corners[:, None]
    return planes


def one(operation: int, factors: list[float], num: int) -> JitterDraw:
    """A draw that does one operation only, with a factor (or turns) an image."""
    draw = JitterDraw(torch.ones(num, 3), torch.zeros(num), torch.arange(3).expand(num, 3), torch.full((num,), 3))
    (draw.turns if operation == HUE else draw.factors[:, operation]).copy_(torch.tensor(factors))
    return draw


@pytest.mark.parametrize("operation", list(THEIRS))
def test_one_operation_agrees_with_torchvision(operation):
    factors = [-0.5, -0.3, -0.1, 0.02, 0.25, 0.5] if operation == HUE else [0.0, 0.3, 0.8, 1.1, 1.7, 2.5]
    planes = images(6)
    expected = [THEIRS[operation](planes[:, i], factors[i]) for i in range(6)]
    jitter(planes, one(operation, factors, 6))
    assert torch.allclose(planes, torch.stack(expected, 1), atol=TOLERANCE if operation != HUE else 2e-6, rtol=0)


def test_every_order_agrees_with_torchvision():
    orders = list(itertools.permutations(range(4)))
    num = len(orders)
    random = torch.Generator().manual_seed(9)
    draw = draw_jitter((0.8, 0.8, 0.8, 0.4), 1.0, num, random)
    linear = torch.tensor([[op for op in order if op != HUE] for order in orders])
    draw = draw._replace(order=linear, hue_after=torch.tensor([order.index(HUE) for order in orders]))
    planes = images(num)
    expected = []
    for i, order in enumerate(orders):
        image = planes[:, i]
        for operation in order:
            image = THEIRS[operation](image, float(draw.turns[i] if operation == HUE else draw.factors[i, operation]))
        expected.append(image)
    jitter(planes, draw)
    assert torch.allclose(planes, torch.stack(expected, 1), atol=2 * TOLERANCE, rtol=0)


def test_the_order_matters_in_that_check():
    """An injected fault: another order must be far outside the tolerance, for the three and for the hue's place."""
    draw = one(HUE, [0.4], 1)._replace(factors=torch.tensor([[1.8, 0.3, 2.0]]))
    right, swapped, early = images(1), images(1), images(1)
    jitter(right, draw)
    jitter(swapped, draw._replace(order=torch.tensor([[1, 0, 2]])))
    jitter(early, draw._replace(hue_after=torch.tensor([0])))
    assert (right - swapped).abs().max() > 100 * TOLERANCE
    assert (right - early).abs().max() > 100 * TOLERANCE


def test_hue_keeps_largest_and_smallest_and_a_third_of_a_turn_permutes():
    flat = images(2).flatten(2)
    shifted = shift_hue(flat, torch.tensor([1 / 3, 0.123]))
    assert torch.allclose(shifted[:, 0], flat[:, 0].roll(1, 0), atol=2e-6)
    assert torch.allclose(shifted.amax(0), flat.amax(0), atol=1e-6)
    assert torch.allclose(shifted.amin(0), flat.amin(0), atol=1e-6)
    assert torch.allclose(shift_hue(shifted, torch.tensor([-1 / 3, -0.123])), flat, atol=4e-6)


def test_grayscale_and_solarize_touch_their_rows_only():
    planes = images(4)
    before = planes.clone()
    make_grey(planes, torch.tensor([1, 3]))
    expected = torch.stack([reference.rgb_to_grayscale(before[:, i], 3) for i in (1, 3)], 1)
    assert torch.allclose(planes[:, [1, 3]], expected, atol=TOLERANCE)
    assert torch.equal(planes[:, [0, 2]], before[:, [0, 2]])
    planes = before.clone()
    solarize(planes, torch.tensor([2]))
    assert torch.equal(planes[:, 2], reference.solarize(before[:, 2], 0.5))
    assert torch.equal(planes[:, [0, 1, 3]], before[:, [0, 1, 3]])


def test_one_channel_gives_what_three_equal_ones_give():
    grey = torch.rand(1, 64, 9, 9)
    three = grey.expand(3, -1, -1, -1).clone()
    draw = draw_jitter((0.8, 0.8, 0.8, 0.4), 0.9, 64, torch.Generator().manual_seed(10))
    jitter(grey, draw)
    jitter(three, draw)
    make_grey(three, torch.arange(0, 64, 3))
    assert torch.allclose(three, grey.expand_as(three), atol=2e-6, rtol=0)


def test_images_that_are_not_drawn_stay_bit_for_bit():
    planes = images(40)
    before = planes.clone()
    draw = draw_jitter((0.4, 0.4, 0.4, 0.1), 0.5, 40, torch.Generator().manual_seed(11))
    skipped = (draw.factors == 1).all(1) & (draw.turns == 0)
    assert 8 < int(skipped.sum()) < 32
    jitter(planes, draw)
    assert torch.equal(planes[:, skipped], before[:, skipped])
    assert not (planes == before).flatten(2).all(2).all(0)[~skipped].any()


def test_draws_have_the_stated_ranges_and_every_order_is_as_likely():
    draw = draw_jitter((0.4, 0.3, 1.5, 0.1), 0.8, 24000, torch.Generator().manual_seed(12))
    on = (draw.factors != 1).any(1)
    assert abs(float(on.double().mean()) - 0.8) < 0.015
    low, high = draw.factors[on].aminmax(dim=0)
    assert torch.allclose(low, torch.tensor([0.6, 0.7, 0.0]), atol=0.01)
    assert low[2] >= 0
    assert torch.allclose(high, torch.tensor([1.4, 1.3, 2.5]), atol=0.01)
    assert 0.099 < float(draw.turns.abs().max()) <= 0.1
    kinds = draw.order @ torch.tensor([9, 3, 1]) * 4 + draw.hue_after
    counts = kinds.unique(return_counts=True)[1]
    assert len(counts) == 24
    assert ((counts - 1000).abs() < 160).all()  # five standard deviations


def test_luma_of_grey_is_that_grey():
    grey = torch.rand(1, 3, 50)
    assert torch.allclose(luma(grey.expand(3, -1, -1)), grey[0], atol=2e-7)
