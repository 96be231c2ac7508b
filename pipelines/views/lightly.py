"""The views of a recipe as lightly makes them: by its transforms, from a PIL picture of each image, one by one on the CPU.

The recipe's numbers become the arguments of lightly's transforms; sizes and normalisation are those of ``ViewMaker``. What
differs is how lightly does it: steps round to 8 bits, resizing is PIL's, and VICReg solarises before it blurs.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipelines.batch import Batch
from pipelines.errors import InputError
from pipelines.spec.views import Augmentation, Views
from pipelines.views.blur import scaled_sigma
from pipelines.views.draws import host_generator

try:
    from lightly.transforms.byol_transform import BYOLView1Transform
    from lightly.transforms.dino_transform import DINOViewTransform
    from lightly.transforms.multi_crop_transform import MultiCropTranform
    from lightly.transforms.multi_view_transform import MultiViewTransform
    from lightly.transforms.simclr_transform import SimCLRViewTransform
    from lightly.transforms.simsiam_transform import SimSiamViewTransform
    from lightly.transforms.swav_transform import SwaVViewTransform
    from lightly.transforms.vicreg_transform import VICRegViewTransform
except ImportError as error:
    raise InputError(f"use: lightly needs the package lightly ({error}); pip install -e '.[peers]'") from None


class PeerViews:
    """Makes the views of a recipe by the transforms of one of lightly's methods; used like ``ViewMaker``."""

    def __init__(
        self, method: str, recipe: Views, image_size: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        normalize = {"mean": [*mean] * (3 // len(mean)), "std": [each or 1.0 for each in std] * (3 // len(std))}
        self.transform = MultiViewTransform(
            [view_transform(method, kind, kind.size or image_size, normalize) for kind in recipe.kinds]
        )

    def __call__(self, batch: Batch, generator: torch.Generator) -> list[Tensor]:
        """The views in recipe order, each (N, 3, h, w) float32 on the batch's device. Images have one channel or three."""
        assert batch.images is not None, "building refuses to stream for peers"
        with drawing_from(host_generator(generator)):
            samples = [self.transform(picture(image)) for image in batch.images.cpu().numpy()]
        return [torch.stack(view).to(batch.images.device) for view in zip(*samples, strict=True)]


def picture(image: NDArray[np.uint8]) -> Image.Image:
    """(C, H, W) uint8, C 1 or 3, as an RGB picture."""
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).convert("RGB")


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
        case "dino":
            return DINOViewTransform(size, kind.scale, **given, solarization_prob=kind.solarize)
        case "swav":
            low, high = kind.scale
            (view,) = MultiCropTranform((size,), (1,), (low,), (high,), SwaVViewTransform(**given)).transforms
            return view
        case _:
            return SimCLRViewTransform(**cut, **given)


@contextlib.contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """NumPy's and torch's own generators, from which lightly draws, start from ``generator`` (CPU) in here.

    Afterwards they go on as if nothing had been drawn.
    """
    first, second = torch.randint(2**31, (2,), generator=generator).tolist()
    numbers, tensors = np.random.get_state(), torch.get_rng_state()
    np.random.seed(first)
    torch.default_generator.manual_seed(second)  # torch.manual_seed would reach the GPUs' generators too
    try:
        yield
    finally:
        np.random.set_state(numbers)
        torch.set_rng_state(tensors)
