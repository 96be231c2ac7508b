"""Views as a peer makes them: by its own transforms, from a PIL picture of each image, one by one on the CPU."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipelines.batch import Batch
from pipelines.views.draws import host_generator


class PeerViews:
    """Makes the views of a batch by ``transform``, which turns a picture into its views; used like ``ViewMaker``."""

    def __init__(self, transform: Callable[[Image.Image], Sequence[Tensor]]) -> None:
        self.transform = transform

    def __call__(self, batch: Batch, generator: torch.Generator) -> list[Tensor]:
        """The views in recipe order, each (N, 3, h, w) float32 on the batch's device. Images have one channel or three."""
        assert batch.images is not None, "building refuses to stream for peers"
        with drawing_from(host_generator(generator)):
            samples = [self.transform(picture(image)) for image in batch.images.cpu().numpy()]
        return [torch.stack(view).to(batch.images.device) for view in zip(*samples, strict=True)]


def normalisation(mean: Sequence[float], std: Sequence[float]) -> dict[str, list[float]]:
    """Of three channels: a grey set's one number thrice. A constant channel is not divided by its deviation of 0."""
    return {"mean": [*mean] * (3 // len(mean)), "std": [each or 1.0 for each in std] * (3 // len(std))}


def picture(image: NDArray[np.uint8]) -> Image.Image:
    """(C, H, W) uint8, C 1 or 3, as an RGB picture."""
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).convert("RGB")


@contextlib.contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """NumPy's and torch's own generators, from which libraries draw, start from ``generator`` (CPU) in here.

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
