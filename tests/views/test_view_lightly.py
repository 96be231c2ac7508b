"""lightly's transforms behind our recipe: the very views that a plain use of them gives, and only what they can say."""

import numpy as np
import pytest
import torch
from lightly.transforms import (
    BYOLTransform,
    DINOTransform,
    MAETransform,
    MoCoV2Transform,
    SimCLRTransform,
    SimSiamTransform,
    SwaVTransform,
    VICRegTransform,
)
from lightly.transforms.byol_transform import BYOLView1Transform, BYOLView2Transform
from PIL import Image
from trainer_tools import SIDE, FewImages

from pipelines.batch import Batch
from pipelines.randomness import drawing_from, host_generator
from pipelines.spec.methods.lightly import USES, Options
from pipelines.spec.views import Augmentation, Jigsaw, Views
from pipelines.views.lightly import transform_of
from pipelines.views.maker import ViewMaker
from pipelines.views.peer import PeerViews

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
PLAIN = {"input_size": SIDE, "normalize": {"mean": list(MEAN), "std": list(STD)}, "gaussian_blur": 0.0}
"""What a user of lightly gives for small images, as its examples do: size, normalisation and no blur."""
THEIRS = {
    "simclr": lambda: SimCLRTransform(**PLAIN),
    "moco_v2": lambda: MoCoV2Transform(**PLAIN),
    "simsiam": lambda: SimSiamTransform(**PLAIN),
    "byol": lambda: BYOLTransform(BYOLView1Transform(**PLAIN), BYOLView2Transform(**PLAIN)),
    "barlow_twins": lambda: BYOLTransform(BYOLView1Transform(**PLAIN), BYOLView2Transform(**PLAIN)),
    "vicreg": lambda: VICRegTransform(
        **PLAIN, cj_strength=1.0, cj_bright=0.4, cj_contrast=0.4, cj_sat=0.2, cj_hue=0.1, solarize_prob=0.2
    ),
    "swav": lambda: SwaVTransform(
        (SIDE, SIDE // 2), (2, 4), (0.2, 0.08), (1.0, 0.5), gaussian_blur=0.0, normalize=PLAIN["normalize"]
    ),
    "mae": lambda: MAETransform(SIDE, normalize=PLAIN["normalize"]),
    "dino": lambda: DINOTransform(
        SIDE, (0.4, 1.0), SIDE // 2, (0.1, 0.4), 4, gaussian_blur=(0.0, 0.0, 0.0), normalize=PLAIN["normalize"]
    ),
}  # fmt: skip
"""Each method's transform with its own defaults; VICReg's recipe is BYOL's here, as in the released code. Multi-crop has
our sizes, areas and numbers of small images."""
CLEAN = Augmentation(
    count=2, scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0, jitter_prob=0.0, grayscale=0.0, blur=0.0, solarize=0.0
)


def batch() -> Batch:
    return next(iter(FewImages(8).epoch(0)))


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("method", USES)
def test_default_recipes_are_lightly_s_own_defaults_for_small_images(method):
    recipe = Options(method=method).default_views(SIDE)
    if method == "vicreg":  # one transform for both views; ours solarises the second alone
        recipe = Views(augmentations=(recipe.kinds[1],) * 2)
    made = PeerViews(transform_of(method, recipe, SIDE, MEAN, STD))(batch(), seeded())
    transform = THEIRS[method]()
    with drawing_from(host_generator(seeded())):
        plain = [transform(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in batch().images]
    for ours, theirs in zip(made, zip(*plain, strict=True), strict=True):
        torch.testing.assert_close(ours, torch.stack(theirs), rtol=0, atol=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("method", USES)
def test_without_any_chance_both_makers_give_the_image(method, channels):
    """Grey and coloured images, normalised the same way; a constant channel is not divided by 0."""
    plain = Batch(images=batch().images[:, :channels], index=batch().index, label=batch().label)
    mean, std = MEAN[:channels], (0.0, 0.25, 0.3)[:channels]
    recipe = Views(augmentations=(CLEAN,))
    square = PeerViews(transform_of(method, recipe, SIDE, mean, std))
    for view in square.transform.transforms:  # a crop of the whole image: no box of another ratio fits
        steps = view if hasattr(view, "transforms") else view.transform  # SwAV's is the composition itself
        steps.transforms[0].ratio = (1.0, 1.0)
        if method == "mae":
            steps.transforms[1].p = 0.0
    ours = ViewMaker(recipe, SIDE, mean, std)(plain, seeded())
    for one, other in zip(square(plain, seeded()), ours, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_the_generator_decides_every_draw_and_others_go_on_untouched():
    make = PeerViews(
        transform_of("byol", Views(augmentations=(Augmentation(count=2, blur=0.5, solarize=0.5),)), SIDE, MEAN, STD)
    )
    np.random.seed(0)
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = make(batch(), seeded())
    assert np.array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.get_rng_state())
    np.random.seed(1)
    torch.manual_seed(1)
    again, other = make(batch(), seeded()), make(batch(), seeded(4))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not any(torch.equal(one, two) for one, two in zip(first, other, strict=True))
    assert not torch.equal(first[0], first[1])


def test_a_failing_transform_leaves_the_generators_as_they_were():
    before = np.random.get_state()[1].copy()
    with pytest.raises(ZeroDivisionError), drawing_from(seeded()):
        np.random.random_sample(1 // 0)
    assert np.array_equal(before, np.random.get_state()[1])


def test_sizes_and_sigmas_are_those_of_the_view():
    kinds = (Augmentation(size=12, blur=1.0, blur_sigma=(2.24, 22.4)), Augmentation())
    make = PeerViews(transform_of("simclr", Views(augmentations=kinds), SIDE, MEAN, STD))
    assert [tuple(view.shape) for view in make(batch(), seeded())] == [(8, 3, 12, 12), (8, 3, SIDE, SIDE)]
    blurs = [step for step in make.transform.transforms[0].transform.transforms if hasattr(step, "sigmas")]
    assert blurs[0].sigmas == pytest.approx((0.12, 1.2))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ratio": (1.0, 1.0)}, r"views: ratio \(1.0, 1.0\): lightly's transforms have \(0.75, 1.33"),
        ({"interpolation": "bicubic"}, "views: interpolation bicubic: lightly's transforms have bilinear alone"),
        ({"translate": 2}, "views: translate 2"),
        ({"grayscale_first": True}, "views: grayscale_first True"),
        ({"colour": "lab"}, "views: colour lab"),
        ({"scale": (0.2, 0.5)}, r"views: scale \[0.2, 0.5\]: lightly's crops go up to 1"),
        ({"solarize": 0.1}, "views: solarize: lightly's simclr has none"),
    ],
)
def test_what_lightly_s_transforms_cannot_say_is_refused(change, told):
    recipe = Views(augmentations=(Augmentation(**change),))
    with pytest.raises(ValueError, match=told):
        Options().check_views(recipe)
    Options(transforms="ours").check_views(recipe)


def test_multi_crop_has_small_areas_and_dino_is_bicubic_alone():
    kind = Augmentation(scale=(0.05, 0.4))
    Options(method="swav").check_views(Views(augmentations=(kind,)))
    with pytest.raises(ValueError, match="views: interpolation bilinear: lightly's transforms have bicubic alone"):
        Options(method="dino").check_views(Views(augmentations=(kind,)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"flip": 0.0}, "views: flip 0.0: lightly's transforms have 0.5 alone"),
        ({"jitter_prob": 0.8}, "views: jitter_prob: lightly's mae has none"),
        ({"blur": 0.5}, "views: blur: lightly's mae has none"),
    ],
)
def test_mae_cuts_and_flips_alone(change, told):
    (kind,) = Options(method="mae").default_views(SIDE).augmentations
    Options(method="mae").check_views(Views(augmentations=(kind,)))
    changed = Views(augmentations=(kind.model_copy(update=change),))
    with pytest.raises(ValueError, match=told):
        Options(method="mae").check_views(changed)
    ours = Options(method="mae", transforms="ours")
    ours.check_views(changed)
    with pytest.raises(ValueError, match=f"views: size {SIDE}: the decoder of lightly's mae"):
        ours.check_views(Views(augmentations=(kind.model_copy(update={"size": SIDE}),)))


@pytest.mark.parametrize("change", [{"shared_flip": True}, {"jigsaw": Jigsaw()}])
def test_recipes_that_lightly_has_not_are_refused(change):
    with pytest.raises(ValueError, match="lightly's transforms have no jigsaw and no shared_flip"):
        Options().check_views(Views(**change))
