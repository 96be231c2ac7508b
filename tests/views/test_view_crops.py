"""Boxes against torchvision's sampler; crops of streaming workers against the resident path's."""

import pytest
import torch
from torchvision.transforms.v2 import RandomResizedCrop
from torchvision.transforms.v2 import functional as reference

from pipelines.spec.views import Augmentation, Jigsaw, Views
from pipelines.views.crops import cut, cutter, fallback_box, sample_boxes
from pipelines.views.place import Place, crop, to_planes

DRAWS = 4000


def theirs(height, width, scale, ratio) -> torch.Tensor:
    image = torch.empty(3, height, width)
    sampler = RandomResizedCrop(8, scale=scale, ratio=ratio)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = [sampler.make_params([image]) for _ in range(DRAWS)]
    return torch.tensor([[d["top"], d["left"], d["height"], d["width"]] for d in drawn])


@pytest.mark.parametrize(
    ("height", "width", "scale", "ratio"),
    [(32, 32, (0.2, 1.0), (3 / 4, 4 / 3)), (28, 28, (0.08, 1.0), (3 / 4, 4 / 3)), (40, 90, (0.5, 1.0), (0.7, 1.4))],
)
def test_boxes_have_torchvisions_distribution(height, width, scale, ratio):
    """Means, spreads and quartiles of place, area and ratio; the last case falls back to the centre often."""
    ours = sample_boxes(DRAWS, height, width, scale, ratio, torch.Generator().manual_seed(3)).double()
    other = theirs(height, width, scale, ratio).double()
    for quantity in (
        lambda b: b[:, 0],
        lambda b: b[:, 1],
        lambda b: b[:, 2] * b[:, 3] / (height * width),
        lambda b: (b[:, 3] / b[:, 2]).log(),
        lambda b: (b[:, 0] + b[:, 2] / 2 == height / 2).double(),
    ):
        a, b = quantity(ours), quantity(other)
        spread = float(b.std()) + 1e-9
        assert abs(float(a.mean() - b.mean())) < 5 * spread * (2 / DRAWS) ** 0.5
        assert abs(float(a.std()) - spread) < 0.08 * spread


def test_boxes_lie_inside_with_area_and_ratio_in_range():
    top, left, tall, wide = sample_boxes(2000, 50, 64, (0.1, 0.4), (0.5, 2.0), torch.Generator().manual_seed(4)).unbind(
        1
    )
    assert top.min() >= 0
    assert left.min() >= 0
    assert (top + tall).max() <= 50
    assert (left + wide).max() <= 64
    assert (tall * wide / (50 * 64)).min() > 0.08
    assert (tall * wide / (50 * 64)).max() < 0.44
    assert (wide / tall).min() > 0.45
    assert (wide / tall).max() < 2.2
    assert int(top.min()) == 0
    assert int((left + wide).max()) == 64


@pytest.mark.parametrize(("height", "width"), [(10, 100), (100, 10), (30, 30)])
def test_impossible_crops_fall_back_to_the_centre_as_in_torchvision(height, width):
    ratio = (1.0, 1.0) if height == width else (3 / 4, 4 / 3)
    ours = sample_boxes(5, height, width, (1.0, 1.0), ratio, torch.Generator().manual_seed(5))
    assert ours.tolist() == theirs(height, width, (1.0, 1.0), ratio)[:5].tolist()
    assert ours[0].tolist() == list(fallback_box(height, width, ratio))


def test_a_streaming_crop_is_torchvisions_and_the_resident_crop_rounded():
    image = torch.randint(0, 256, (3, 70, 50), dtype=torch.uint8, generator=torch.Generator().manual_seed(6))
    boxes = sample_boxes(20, 70, 50, (0.05, 1.0), (3 / 4, 4 / 3), torch.Generator().manual_seed(7))
    place = Place(boxes, torch.zeros(20, dtype=torch.bool), torch.zeros((20, 2), dtype=torch.long))
    resident = crop(to_planes(image.expand(20, -1, -1, -1)), place, 32)
    for i, box in enumerate(boxes.tolist()):
        streamed = cut(image, tuple(box), 32)
        assert torch.equal(streamed, reference.resized_crop(image, *box, [32, 32], antialias=True))
        # Two roundings to 8 bits (after each direction) and the 8-bit weights of torch's own fast path.
        assert (streamed / 255 - resident[:, i]).abs().max() < 2 / 255


def test_the_cutter_gives_every_crop_in_order():
    small = Augmentation(count=3, size=18, scale=(0.05, 0.2))
    recipe = Views(augmentations=(Augmentation(count=2), small), jigsaw=Jigsaw(grid=2, cell=10, patch=8))
    image = torch.randint(0, 256, (3, 60, 45), dtype=torch.uint8)
    crops = cutter(recipe, 32)(image, torch.Generator().manual_seed(8))
    assert [tuple(c.shape) for c in crops] == [(3, 32, 32)] * 2 + [(3, 18, 18)] * 3 + [(3, 20, 20)]
    assert all(c.dtype == torch.uint8 and c.is_contiguous() for c in crops)
    again = cutter(recipe, 32)(image, torch.Generator().manual_seed(8))
    assert all(torch.equal(a, b) for a, b in zip(crops, again, strict=True))
    assert not torch.equal(crops[0], crops[1])


def test_the_cutter_translates_within_reach():
    image = torch.randint(0, 256, (1, 12, 12), dtype=torch.uint8)
    padded = torch.nn.functional.pad(image.float()[None], (2,) * 4, mode="reflect")[0]
    windows = [padded[:, y : y + 12, x : x + 12] for y in range(5) for x in range(5)]
    for crop_ in cutter(Views(augmentations=(Augmentation(count=6, translate=2),)), 12)(image, torch.Generator()):
        assert any(torch.equal(crop_.float(), window) for window in windows)
