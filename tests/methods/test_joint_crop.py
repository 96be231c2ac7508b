"""Joint crops: what is aligned stays aligned, and a linear ramp tells where a crop lies."""

import pytest
import torch

from pipelines.methods.joint_crop import crop, draw_boxes, joint_crop


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_images_of_the_same_place_stay_aligned():
    image = torch.randn(6, 3, 9, 7, generator=generator())
    other = torch.cat([image[:, :1], 2 * image[:, 1:2] - 1], dim=1)
    one, two = joint_crop([image, other], (0.2, 1.0), 0.5, generator(1))
    torch.testing.assert_close(two[:, 0], one[:, 0])
    torch.testing.assert_close(two[:, 1], 2 * one[:, 1] - 1)
    assert one.shape == image.shape
    assert not torch.allclose(one, image)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_whole_image_comes_back_or_its_mirror(flip):
    image = torch.randn(2, 3, 8, 8, generator=generator())
    (found,) = joint_crop([image], (1.0, 1.0), flip, generator())
    torch.testing.assert_close(found, image.flip(3) if flip else image)


def test_boxes_lie_inside_have_the_area_asked_for_and_are_mirrored_as_often_as_asked():
    boxes = draw_boxes(20000, (0.2, 0.5), 0.25, generator())
    half_width, half_height = boxes[:, 0, 0].abs(), boxes[:, 1, 1]
    assert (boxes[:, 0, 2].abs() + half_width).max() <= 1 + 1e-6
    assert (boxes[:, 1, 2].abs() + half_height).max() <= 1 + 1e-6
    area, ratio = half_width * half_height, half_width / half_height
    assert 0.2 - 1e-6 <= area.min() < 0.21 < 0.49 < area.max() <= 0.5 + 1e-6
    assert area.mean().item() == pytest.approx(0.35, abs=0.005)
    assert 0.75 - 1e-6 <= ratio.min() < ratio.max() <= 4 / 3 + 1e-6
    assert (boxes[:, 0, 0] < 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_a_crop_of_a_ramp_is_a_ramp_of_the_boxs_width():
    ramp = ((torch.arange(16.0) + 0.5) / 8 - 1).expand(4, 1, 16, 16)  # at every pixel its own place in [-1, 1]
    boxes = draw_boxes(4, (0.2, 0.5), 0.5, generator(3))
    inner = crop(ramp, boxes)[:, 0, 8, 4:12]
    expected = ramp[:, 0, 8, 4:12] * boxes[:, 0, :1] + boxes[:, 0, 2:]
    torch.testing.assert_close(inner, expected)
