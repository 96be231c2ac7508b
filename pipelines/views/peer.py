"""Views as a peer makes them: by its own transforms, from a PIL picture of each image, one by one on the CPU."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipelines.batch import Batch
from pipelines.randomness import drawing_from, host_generator


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
