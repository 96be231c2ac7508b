"""The views of a recipe as stable-pretraining makes them: by its transforms, in the order of its documentation's examples.

The recipe's numbers become the arguments of its transforms; sizes and normalisation are those of ``ViewMaker``. What differs
is how they do it: torchvision's operations on PIL pictures, which round to 8 bits after every step, and PIL's blur.
"""

from collections.abc import Callable, Sequence

from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode

from pipelines.errors import InputError
from pipelines.spec.views import Augmentation, Views
from pipelines.views.blur import scaled_sigma
from pipelines.views.peer import normalisation

try:
    from stable_pretraining.data import transforms
except ImportError as error:
    raise InputError(
        f"use: stable_pretraining needs the package stable-pretraining ({error}); run make install-peers"
    ) from None


def transform_of(
    method: str, recipe: Views, image_size: int, mean: Sequence[float], std: Sequence[float]
) -> Callable[[Image.Image], list[Tensor]]:
    """A picture to the views of the recipe, in its order, each (3, h, w); the same steps for every ``method``."""
    normalize = normalisation(mean, std)
    made = [view_transform(kind, kind.size or image_size, normalize) for kind in recipe.kinds]
    views = transforms.MultiViewTransform(made)
    return lambda picture: [view["image"] for view in views({"image": picture})["views"]]


def view_transform(kind: Augmentation, size: int, normalize: dict[str, list[float]]) -> transforms.Compose:
    """One view of ``size`` pixels with the numbers of ``kind``."""
    return transforms.Compose(
        transforms.RGB(),
        transforms.RandomResizedCrop(
            (size, size), kind.scale, kind.ratio, InterpolationMode(kind.interpolation), antialias=True
        ),
        transforms.RandomHorizontalFlip(kind.flip),
        transforms.ColorJitter(*kind.jitter, p=kind.jitter_prob),
        transforms.RandomGrayscale(kind.grayscale),
        transforms.PILGaussianBlur(scaled_sigma(kind.blur_sigma, size), kind.blur),
        transforms.RandomSolarize(128, kind.solarize),
        transforms.ToImage(**normalize),
    )
