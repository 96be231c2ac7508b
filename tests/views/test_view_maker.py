"""Whole recipes: against torchvision image by image, and what must not depend on batching."""

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from pipelines.batch import Batch
from pipelines.randomness import host_generator
from pipelines.spec.views import Augmentation, Jigsaw, Views
from pipelines.views import maker as maker_module
from pipelines.views.blur import reach, scaled_sigma
from pipelines.views.maker import ViewMaker
from pipelines.views.pixels import draw_pixels
from pipelines.views.place import draw_places

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
PLAIN = Augmentation(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0, jitter_prob=0, grayscale=0, blur=0)
STRONG = Augmentation(scale=(0.08, 1.0), jitter=(0.8, 0.8, 0.8, 0.2), blur=0.9, blur_sigma=(3.0, 14.0))


def batch_of(num: int = 12, channels: int = 3, side: int = 28, width: int | None = None) -> Batch:
    random = torch.Generator().manual_seed(num)
    images = torch.randint(0, 256, (num, channels, side, width or side), dtype=torch.uint8, generator=random)
    return Batch(images=images, index=torch.arange(num), label=torch.zeros(num, dtype=torch.long))


def made(recipe: Views, batch: Batch, size: int = 32, seed: int = 0) -> list[torch.Tensor]:
    return ViewMaker(recipe, size, MEAN, STD)(batch, torch.Generator().manual_seed(seed))


def normalised(images: torch.Tensor) -> torch.Tensor:
    return (images / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def test_everything_off_is_the_exact_normalised_image():
    batch = batch_of()
    (view,) = made(Views(augmentations=(PLAIN,)), batch, 28)
    assert torch.equal(view, normalised(batch.images))
    assert view.dtype == torch.float32
    assert view.is_contiguous(memory_format=torch.channels_last)


def test_a_certain_flip_mirrors():
    batch = batch_of()
    (view,) = made(Views(augmentations=(PLAIN.model_copy(update={"flip": 1.0}),)), batch, 28)
    assert torch.equal(view, normalised(batch.images).flip(3))


@pytest.mark.parametrize("grey_first", [False, True])
@pytest.mark.parametrize(("side", "size"), [(28, 32), (80, 32), (90, 72)])
def test_a_whole_recipe_agrees_with_torchvision_image_by_image(side, size, grey_first):
    kind = STRONG.model_copy(update={"grayscale_first": grey_first})
    batch = batch_of(24, side=side)
    (view,) = made(Views(augmentations=(kind,)), batch, size, seed=5)
    host = host_generator(torch.Generator().manual_seed(5))
    flips = torch.rand(24, generator=host) < kind.flip
    place = draw_places(kind, flips, side, side, size, host)
    draw = draw_pixels(kind, 24, size, host)
    taps = reach(scaled_sigma(kind.blur_sigma, size)[1], size)
    for i in range(24):
        image = reference.resized_crop(batch.images[i] / 255, *place.boxes[i].tolist(), [size, size], antialias=True)
        image = reference.horizontal_flip(image) if flips[i] else image
        if draw.grey[i] and grey_first:
            image = reference.rgb_to_grayscale(image, 3)
        for step in range(4):
            if step == draw.jitter.hue_after[i]:
                image = reference.adjust_hue(image, float(draw.jitter.turns[i]))
            if step < 3:
                operation = int(draw.jitter.order[i, step])
                factor = float(draw.jitter.factors[i, operation])
                name = ("adjust_brightness", "adjust_contrast", "adjust_saturation")[operation]
                image = getattr(reference, name)(image, factor)
        if draw.grey[i] and not grey_first:
            image = reference.rgb_to_grayscale(image, 3)
        if draw.blurred[i]:
            image = reference.gaussian_blur(image, [2 * taps + 1] * 2, [float(draw.sigma[i])] * 2)
        expected = reference.normalize(image, list(MEAN), list(STD))
        assert torch.allclose(view[i], expected, atol=8e-4 / min(STD), rtol=0), (i, (view[i] - expected).abs().max())
    assert draw.blurred.sum() > 12
    assert draw.grey.any()
    assert flips.any()


def test_the_same_seed_gives_the_same_views_and_another_call_gives_others():
    batch, maker = batch_of(), ViewMaker(Views(), 32, MEAN, STD)
    generator = torch.Generator().manual_seed(1)
    first, second = maker(batch, generator), maker(batch, generator)
    again = maker(batch, torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[1])


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    made(Views(augmentations=(STRONG,), jigsaw=Jigsaw(grid=2, cell=8, patch=6)), batch_of())
    assert torch.equal(before, torch.get_rng_state())


def test_images_are_not_changed():
    batch = batch_of()
    before = batch.images.clone()
    made(Views(augmentations=(STRONG,)), batch, 28)
    made(Views(augmentations=(PLAIN.model_copy(update={"flip": 1.0}),)), batch, 28)
    assert torch.equal(batch.images, before)


def test_views_do_not_depend_on_how_the_batch_is_chunked(monkeypatch):
    recipe = Views(augmentations=(STRONG.model_copy(update={"count": 3, "solarize": 0.3}),))
    whole = made(recipe, batch_of(10))
    monkeypatch.setattr(maker_module, "CHUNK_ON_CPU", 4 * 3 * 32 * 32)  # four images, across the views' borders
    for a, b in zip(whole, made(recipe, batch_of(10)), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_a_view_depends_on_its_own_image_only():
    batch = batch_of()
    changed = batch.images.clone()
    changed[3] = 255 - changed[3]
    other = Batch(images=changed, index=batch.index, label=batch.label)
    for a, b in zip(made(Views(), batch), made(Views(), other), strict=True):
        same = [torch.equal(x, y) for x, y in zip(a, b, strict=True)]
        assert same == [i != 3 for i in range(12)]


def test_one_channel_gives_what_three_equal_channels_give():
    grey = batch_of(channels=1)
    three = Batch(images=grey.images.expand(-1, 3, -1, -1), index=grey.index, label=grey.label)
    recipe = Views(augmentations=(STRONG.model_copy(update={"solarize": 0.0, "count": 2}),))
    for a, b in zip(made(recipe, grey), made(recipe, three), strict=True):
        assert a.shape == (12, 3, 32, 32)
        assert torch.allclose(a, b, atol=2e-5)


def test_multi_crop_sizes_and_order():
    large, small = Augmentation(count=2, scale=(0.4, 1.0)), Augmentation(count=4, size=18, scale=(0.05, 0.4))
    views = made(Views(augmentations=(large, small)), batch_of(5, side=48, width=64))
    assert [tuple(v.shape) for v in views] == [(5, 3, 32, 32)] * 2 + [(5, 3, 18, 18)] * 4
    assert all(v.is_contiguous(memory_format=torch.channels_last) and v.isfinite().all() for v in views)


def test_solarize_is_applied_to_its_share():
    batch = batch_of(400, side=4)
    (view,) = made(Views(augmentations=(PLAIN.model_copy(update={"solarize": 0.3}),)), batch, 4)
    values = batch.images / 255
    inverted = normalised(torch.where(values >= 0.5, 1 - values, values) * 255)
    changed = [torch.allclose(v, s, atol=1e-5) for v, s in zip(view, inverted, strict=True)]
    kept = [torch.equal(v, s) for v, s in zip(view, normalised(batch.images), strict=True)]
    assert all(a != b for a, b in zip(changed, kept, strict=True))
    assert 85 < sum(changed) < 155


def test_a_shared_flip_is_the_same_in_all_views_and_a_free_one_is_not():
    batch = batch_of(64)
    kind = PLAIN.model_copy(update={"count": 2, "flip": 0.5})
    a, b = made(Views(augmentations=(kind,), shared_flip=True), batch, 28)
    assert torch.equal(a, b)
    flipped = [not torch.equal(x, y) for x, y in zip(a, normalised(batch.images), strict=True)]
    assert 16 < sum(flipped) < 48
    a, b = made(Views(augmentations=(kind,)), batch, 28)
    assert not torch.equal(a, b)


def test_translation_moves_within_reach_and_reflects():
    batch = batch_of(30, side=12)
    (view,) = made(Views(augmentations=(PLAIN.model_copy(update={"translate": 2}),)), batch, 12)
    padded = torch.nn.functional.pad(batch.images.float(), (2,) * 4, mode="reflect")
    moves = set()
    for i in range(30):
        windows = {(y, x): normalised(padded[i, :, y : y + 12, x : x + 12]) for y in range(5) for x in range(5)}
        found = [move for move, window in windows.items() if torch.allclose(view[i], window, atol=1e-5)]
        assert len(found) == 1
        moves.add(found[0])
    assert len(moves) > 10


@pytest.mark.parametrize("space", ["lab", "ycbcr", "ydbdr"])
def test_a_colour_space_is_normalised_by_its_own_constants(space):
    for channels in (1, 3):
        (view,) = made(
            Views(augmentations=(PLAIN.model_copy(update={"colour": space}),)), batch_of(channels=channels), 28
        )
        assert view.shape == (12, 3, 28, 28)
        assert 0.8 < view.abs().max() < 1.1


def test_crops_from_workers_get_the_same_treatment_as_images():
    """With the crop step the identity, resident images and given crops differ in nothing."""
    kind = STRONG.model_copy(update={"scale": (1.0, 1.0), "ratio": (1.0, 1.0), "count": 2})
    resident = batch_of(side=32)
    streamed = Batch(images=None, index=resident.index, label=resident.label, crops=(resident.images,) * 2)
    for a, b in zip(
        made(Views(augmentations=(kind,)), resident), made(Views(augmentations=(kind,)), streamed), strict=True
    ):
        assert torch.equal(a, b)


def test_jigsaw_patches_come_last_and_from_the_image():
    recipe = Views(augmentations=(PLAIN,), jigsaw=Jigsaw(grid=3, cell=8, patch=6, scale=(1.0, 1.0)))
    batch = batch_of(4, side=24)
    crops = (batch.images, batch.images)
    streamed = Batch(images=None, index=batch.index, label=batch.label, crops=crops)
    _view, patches = made(recipe, streamed, 24)
    assert patches.shape == (4, 9, 3, 6, 6)
    assert patches.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    windows = normalised(batch.images).unfold(2, 6, 1).unfold(3, 6, 1)  # (4, 3, 19, 19, 6, 6)
    for image in range(4):
        for patch in patches[image]:
            assert (windows[image] == patch[:, None, None]).flatten(3).all(3).all(0).sum() == 1
    resident = made(recipe, batch, 24)[1]
    assert resident.shape == patches.shape
    assert resident.isfinite().all()


def test_a_single_mean_stands_for_all_channels():
    batch = batch_of(channels=1)
    one = ViewMaker(Views(), 32, [0.3], [0.4])(batch, torch.Generator().manual_seed(2))
    three = ViewMaker(Views(), 32, [0.3] * 3, [0.4] * 3)(batch, torch.Generator().manual_seed(2))
    assert all(torch.equal(a, b) for a, b in zip(one, three, strict=True))
