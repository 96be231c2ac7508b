"""From a batch of uint8 images to the normalised views of a recipe, batched on the device the images are on.

Every image has random parameters of its own. With those fixed, the operations agree with torchvision's functional transforms
on float images (tests/views); between the steps values stay float32, where a PIL pipeline rounds to 8 bits.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pipelines.batch import Batch
from pipelines.randomness import host_generator
from pipelines.spec.views import Augmentation, Jigsaw, Views
from pipelines.views.draws import take
from pipelines.views.jigsaw import cut_patches, draw_jigsaw
from pipelines.views.pixels import change, draw_pixels, normalise
from pipelines.views.place import Place, crop, draw_places, flip, to_planes, whole_image
from pipelines.views.resample import Interpolation
from pipelines.views.spaces import HALF_RANGE, MIDDLE, convert

CHUNK_ON_CPU = 2**20
"""Values worked on at a time, so that they stay in the cache."""
CHUNK_ON_GPU = 2**28
"""Values worked on at a time: ten such tensors (10 GiB) have to fit."""


class ViewMaker:
    """Makes the views of a recipe.

    image_size   side in pixels of a view whose augmentation names none
    mean, std    of the data set's channels, in [0, 1]; a number for each channel, or one for all
    channels     of the views; those of the images, or three of grey ones
    """

    def __init__(
        self, recipe: Views, image_size: int, mean: Sequence[float], std: Sequence[float], channels: int = 3
    ) -> None:
        assert len(mean) in (1, channels)
        assert len(std) in (1, channels)
        self.recipe = recipe
        self.image_size = image_size
        self.channels = channels
        self.mean = tuple(mean) * (channels // len(mean))
        self.std = tuple(each or 1.0 for each in std) * (channels // len(std))  # a constant channel becomes 0, not NaN

    def __call__(self, batch: Batch, generator: torch.Generator) -> list[Tensor]:
        """The views in recipe order, each (N, C, h, w) float32 in channels_last memory; a jigsaw last, (N, grid^2, C, p, p).

        Images have C channels, or one (grey) where C is three. Where ``batch.crops`` are given they are taken as cut. The
        generator is on the batch's device and moves on by one draw.
        """
        host = host_generator(generator)
        shared = torch.rand(len(batch), generator=host) if self.recipe.shared_flip else None
        views: list[Tensor] = []
        for kind in self.recipe.augmentations:
            views += self.views_of(kind, sources(batch, len(views), kind.count), len(batch), shared, host)
        if self.recipe.jigsaw is not None:
            views.append(self.jigsaw_of(self.recipe.jigsaw, sources(batch, len(views), 1), shared, host))
        return views

    def views_of(
        self, kind: Augmentation, source: "Source", num: int, shared: Tensor | None, host: torch.Generator
    ) -> list[Tensor]:
        """All ``kind.count`` views of ``num`` images of one kind, made as one batch."""
        images, is_cut = source
        size, total = kind.size or self.image_size, kind.count * num
        height, width = images.shape[2:]
        flips = torch.rand(total, generator=host) if shared is None else shared.repeat(kind.count)
        place = draw_places(kind, flips < kind.flip, height, width, size, host)
        values = draw_pixels(kind, total, size, host)
        assert images.shape[1] == self.channels or (images.shape[1], self.channels) == (1, 3)
        mean, std = self._moments(kind)
        result = torch.empty((total, size, size, self.channels), device=images.device)
        for rows in chunks(total, images, size):
            done = is_cut or whole_image(kind, height, width, size)
            planes = placed(images, rows, place, size, done, kind.interpolation)
            change(planes, take(values, rows), kind)
            if kind.colour != "rgb" and kind.colour != "unit":
                planes = convert(planes, kind.colour)
            normalise(planes, mean, std, result[rows])
        return list(result.permute(0, 3, 1, 2).chunk(kind.count))

    def _moments(self, kind: Augmentation) -> tuple[Sequence[float], Sequence[float]]:
        """What is taken from each channel of a view, and what it is divided by."""
        if kind.colour == "rgb":
            return self.mean, self.std
        if kind.colour == "unit":
            return (0.0,) * self.channels, (1.0,) * self.channels
        return MIDDLE[kind.colour], HALF_RANGE[kind.colour]

    def jigsaw_of(self, spec: Jigsaw, source: "Source", shared: Tensor | None, host: torch.Generator) -> Tensor:
        """The jigsaw view, flipped with the first augmentation's probability."""
        images, is_cut = source
        num, size = len(images), spec.grid * spec.cell
        flips = torch.rand(num, generator=host) if shared is None else shared
        flips = flips < self.recipe.augmentations[0].flip
        place = draw_places(Augmentation(scale=spec.scale), flips, images.shape[2], images.shape[3], size, host)
        patches = draw_jigsaw(spec, num, host)
        result = torch.empty((num, spec.grid**2, spec.patch, spec.patch, self.channels), device=images.device)
        for rows in chunks(num, images, size):
            planes = placed(images, rows, place, size, is_cut)
            normalise(cut_patches(planes, take(patches, rows), spec), self.mean, self.std, result[rows])
        return result.permute(0, 1, 4, 2, 3)


Source = tuple[Tensor, bool]
"""Images (N, C, H, W) uint8, whole, with False; or the crops of some views one after the other, with True."""


def sources(batch: Batch, first: int, count: int) -> Source:
    """What ``count`` views from number ``first`` on are made of."""
    if batch.crops is None:
        assert batch.images is not None
        assert batch.images.dtype == torch.uint8
        return batch.images, False
    crops = batch.crops[first : first + count]
    assert len(crops) == count
    assert crops[0].dtype == torch.uint8
    return (crops[0] if count == 1 else torch.cat(crops)), True


def chunks(total: int, images: Tensor, size: int) -> Iterator[slice]:
    """Slices of 0 .. total that hold about CHUNK values of the larger of source and view each."""
    values = images.shape[1] * max(images.shape[2] * images.shape[3], size * size)
    step = max(1, (CHUNK_ON_GPU if images.is_cuda else CHUNK_ON_CPU) // values)
    for start in range(0, total, step):
        yield slice(start, min(start + step, total))


def pick(images: Tensor, rows: slice) -> Tensor:
    """Rows of ``images`` repeated end to end, without making the repeats: row i is image i mod N."""
    start = rows.start % len(images)
    stop = start + rows.stop - rows.start
    if stop <= len(images):
        return images[start:stop]
    return images.index_select(0, torch.arange(start, stop, device=images.device) % len(images))


def placed(
    images: Tensor, rows: slice, place: Place, size: int, is_cut: bool, kind: Interpolation = "bilinear"
) -> Tensor:
    """The planes (C, M, size, size) in [0, 1] of some rows, cut where they are not cut yet, and flipped."""
    planes, place = to_planes(pick(images, rows)), take(place, rows)
    return flip(planes, place.flips) if is_cut else crop(planes, place, size, kind)
