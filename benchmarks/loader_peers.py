"""The peers of photographs: torchvision's v2 transforms and lightly's in a DataLoader, picture by picture, view by view."""

import io
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import InterpolationMode, v2

from pipelines.spec.views import Augmentation, Views

SIDE = 224
MEAN, STD = [0.5] * 3, [0.25] * 3
Decode = Callable[[bytes], Any]
Transform = Callable[[Any], list[torch.Tensor]]


class Pictures(Dataset[list[torch.Tensor]]):
    """JPEGs in memory, decoded once each and changed by one transform a view, as torchvision's data sets are used."""

    def __init__(self, pictures: list[bytes], decode: Decode, transform: Transform) -> None:
        self.pictures, self.decode, self.transform = pictures, decode, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, place: int) -> list[torch.Tensor]:
        return self.transform(self.decode(self.pictures[place]))


def as_pil(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def as_tensor(data: bytes) -> torch.Tensor:
    return decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)


def place_of(kind: Augmentation) -> list[v2.Transform]:
    """torchvision's crop and flip of one kind of view."""
    how = InterpolationMode(kind.interpolation)
    crop = v2.RandomResizedCrop(kind.size or SIDE, scale=kind.scale, ratio=kind.ratio, interpolation=how)
    return [crop, v2.RandomHorizontalFlip(kind.flip)]


def view_of(kind: Augmentation) -> list[v2.Transform]:
    """One kind of view, whole. torchvision's blur has SimCLR's kernel, a tenth of the side."""
    size = kind.size or SIDE
    sigma = tuple(each * size / SIDE for each in kind.blur_sigma)
    return [
        *place_of(kind),
        v2.RandomApply([v2.ColorJitter(*kind.jitter)], p=kind.jitter_prob),
        v2.RandomGrayscale(kind.grayscale),
        v2.RandomApply([v2.GaussianBlur(max(3, size // 10 // 2 * 2 + 1), sigma)], p=kind.blur),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]


def all_views(recipe: Views, steps: Callable[[Augmentation], list[v2.Transform]]) -> Transform:
    """A picture to all views of a recipe."""
    each = [v2.Compose(steps(kind)) for kind in recipe.augmentations for _ in range(kind.count)]
    return lambda picture: [transform(picture) for transform in each]


def by_lightly(recipe: Views) -> Transform:
    """lightly's transform of that method, as it comes."""
    from lightly.transforms import MoCoV2Transform, SwaVTransform

    return MoCoV2Transform(input_size=SIDE) if len(recipe.augmentations) == 1 else SwaVTransform()
