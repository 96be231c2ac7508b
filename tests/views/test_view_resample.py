"""Crop matrices against torchvision's antialiased resized_crop on float images."""

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from pipelines.views.resample import crop_matrices, resample, resize_each, translation

TOLERANCE = 5e-6  # of values in [0, 1]: float32 sums in another order
CPU = torch.device("cpu")


def boxes_in(height: int, width: int) -> torch.Tensor:
    """The whole image, small and large boxes, odd shapes, all corners."""
    return torch.tensor(
        [
            [0, 0, height, width],
            [0, 0, 5, 7],
            [height - 9, width - 4, 9, 4],
            [3, 2, height - 5, width - 2],
            [height // 2, 0, 1, width],
            [1, width - 1, height - 1, 1],
        ]
    )


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("height", "width", "size"), [(28, 28, 32), (96, 96, 32), (40, 60, 18), (33, 21, 33), (16, 90, 24)]
)
def test_crops_agree_with_torchvision(kind, height, width, size):
    planes = torch.rand(3, 6, height, width, generator=torch.Generator().manual_seed(1))
    boxes, flips = boxes_in(height, width), torch.tensor([False, True, False, True, True, False])
    ours = resample(planes, *crop_matrices(boxes, flips, (height, width), size, CPU, kind))
    for i, (top, left, tall, wide) in enumerate(boxes.tolist()):
        mode = InterpolationMode(kind)
        theirs = reference.resized_crop(planes[:, i], top, left, tall, wide, [size, size], mode, antialias=True)
        theirs = reference.horizontal_flip(theirs) if flips[i] else theirs
        assert torch.allclose(ours[:, i], theirs, atol=TOLERANCE, rtol=0), (i, (ours[:, i] - theirs).abs().max())


def test_enlarging_and_shrinking_formulas_meet():
    """A batch with one shrinking box takes the general formula for all; the others come out as in the short one."""
    planes = torch.rand(1, 2, 48, 48, generator=torch.Generator().manual_seed(2))
    boxes = torch.tensor([[4, 6, 20, 30], [0, 0, 48, 48]])
    flips = torch.tensor([True, False])
    both = resample(planes, *crop_matrices(boxes, flips, (48, 48), 32, CPU))
    alone = resample(planes[:, :1], *crop_matrices(boxes[:1], flips[:1], (48, 48), 32, CPU))
    assert torch.allclose(both[:, :1], alone, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_matrices_and_image_by_image_resizing_are_the_same_map(kind):
    planes = torch.rand(3, 6, 96, 80, generator=torch.Generator().manual_seed(3))
    boxes, flips = boxes_in(96, 80), torch.zeros(6, dtype=torch.bool)
    by_matrices = resample(planes, *crop_matrices(boxes, flips, (96, 80), 72, CPU, kind))
    assert torch.allclose(resize_each(planes, boxes, 72, kind), by_matrices, atol=2 * TOLERANCE, rtol=0)


def test_no_pixel_outside_the_box_is_seen():
    planes = torch.zeros(1, 1, 20, 20)
    planes[:, :, 5:15, 4:18] = 0.5
    outside = planes + (planes == 0) * 100
    for size in (6, 32):
        matrices = crop_matrices(torch.tensor([[5, 4, 10, 14]]), torch.tensor([False]), (20, 20), size, CPU)
        assert torch.allclose(resample(outside, *matrices), torch.tensor(0.5), atol=TOLERANCE)


def test_the_whole_image_at_its_own_size_is_untouched():
    planes = torch.rand(3, 2, 17, 17)
    box = torch.tensor([[0, 0, 17, 17]] * 2)
    out = resample(planes, *crop_matrices(box, torch.tensor([False, True]), (17, 17), 17, CPU))
    assert torch.equal(out[:, 0], planes[:, 0])
    assert torch.equal(out[:, 1], planes[:, 1].flip(2))


def test_translation_is_a_window_of_the_reflected_image():
    planes = torch.rand(2, 9, 8, 8)
    shifts = torch.arange(-4, 5)
    moved = resample(planes, translation(shifts, 8, CPU), translation(-shifts, 8, CPU))
    padded = torch.nn.functional.pad(planes, (4,) * 4, mode="reflect")
    for i, shift in enumerate(shifts.tolist()):
        assert torch.equal(moved[:, i], padded[:, i, 4 - shift : 12 - shift, 4 + shift : 12 + shift])
