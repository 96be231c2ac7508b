"""The views of a recipe as lightly makes them: by its transforms.

The recipe's numbers become the arguments of lightly's transforms; sizes and normalisation are those of ``ViewMaker``. What
differs is how lightly does it: steps round to 8 bits, resizing is PIL's, and VICReg solarises before it blurs.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from pipelines.errors import InputError
from pipelines.spec.views import Augmentation, Views
from pipelines.views.blur import scaled_sigma
from pipelines.views.peer import normalisation

try:
    from lightly.transforms.byol_transform import BYOLView1Transform
    from lightly.transforms.dino_transform import DINOViewTransform
    from lightly.transforms.mae_transform import MAETransform
    from lightly.transforms.multi_crop_transform import MultiCropTranform
    from lightly.transforms.multi_view_transform import MultiViewTransform
    from lightly.transforms.simclr_transform import SimCLRViewTransform
    from lightly.transforms.simsiam_transform import SimSiamViewTransform
    from lightly.transforms.swav_transform import SwaVViewTransform
    from lightly.transforms.vicreg_transform import VICRegViewTransform
except ImportError as error:
    raise InputError(f"use: lightly needs the package lightly ({error}); pip install -e '.[peers]'") from None


def transform_of(
    method: str, recipe: Views, image_size: int, mean: Sequence[float], std: Sequence[float]
) -> MultiViewTransform:
    """One of lightly's methods' transforms: a picture to the views of the recipe, in its order, each (3, h, w)."""
    normalize = normalisation(mean, std)
    kinds = [view_transform(method, kind, kind.size or image_size, normalize) for kind in recipe.kinds]
    return MultiViewTransform(kinds)


def view_transform(
    method: str, kind: Augmentation, size: int, normalize: dict[str, list[float]]
) -> Callable[..., Tensor]:
    """lightly's transform of ``method`` for one view of ``size`` pixels, with the numbers of ``kind``.

    MoCo v2's is SimCLR's, and Barlow Twins' is BYOL's, whose two views are the same steps with other numbers.
    """
    brightness, contrast, saturation, hue = kind.jitter
    cut: dict[str, Any] = {"input_size": size, "min_scale": kind.scale[0]}
    given: dict[str, Any] = {
        "hf_prob": kind.flip,
        "cj_prob": kind.jitter_prob,
        "cj_strength": 1.0,
        "cj_bright": brightness,
        "cj_contrast": contrast,
        "cj_sat": saturation,
        "cj_hue": hue,
        "random_gray_scale": kind.grayscale,
        "gaussian_blur": kind.blur,
        "sigmas": scaled_sigma(kind.blur_sigma, size),
        "normalize": normalize,
    }
    match method:
        case "byol" | "barlow_twins":
            return BYOLView1Transform(**cut, **given, solarization_prob=kind.solarize)
        case "vicreg":
            return VICRegViewTransform(**cut, **given, solarize_prob=kind.solarize)
        case "simsiam":
            return SimSiamViewTransform(**cut, **given)
        case "mae":  # it flips half of them, and changes no colours
            return MAETransform(size, kind.scale[0], normalize).transform
        case "dino":
            return DINOViewTransform(size, kind.scale, **given, solarization_prob=kind.solarize)
        case "swav":
            low, high = kind.scale
            (view,) = MultiCropTranform((size,), (1,), (low,), (high,), SwaVViewTransform(**given)).transforms
            return view
        case _:
            return SimCLRViewTransform(**cut, **given)
