"""JPEGs that a GPU decodes (nvJPEG, by torchvision): workers read the files, the training process decodes them and cuts crops.

nvJPEG computes its own inverse transform and enlarges colours in its own way, so its pixels differ from libjpeg-turbo's.
What is no plain JPEG (PNG, CMYK, turned by its EXIF tag, of stated channels) is decoded by the worker, as always, and so is
what the GPU cannot decode by the training process. In a module of its own, since importing torchvision takes a second.
"""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg

from pipelines.errors import InputError

BROKEN = (torch.OutOfMemoryError, torch.AcceleratorError)
"""Kinds of RuntimeError that no JPEG is to blame for."""


class GpuDecoder:
    """Turns what ``as_stored`` gave into pixels on ``device``. InputError where that cannot decode JPEGs.

    refused: how many images it left to the CPU. The first one is told, as a set of such images is slow to train on.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.refused = device, 0
        try:
            self._decode([tiny_jpeg()])
        except RuntimeError as error:
            raise InputError(
                f"training.decode: gpu: {device} decodes no JPEG here ({str(error).splitlines()[0]}); set training.decode: cpu"
            ) from None

    def __call__(self, stored: list[Tensor]) -> list[Tensor]:
        """(3, H, W) uint8 on the device, one an image. Images that the GPU refused come as their bytes again."""
        jpegs = [each for each in stored if each.ndim == 1]
        try:
            found = iter(self._decode(jpegs))
        except BROKEN:
            raise
        except RuntimeError as error:  # one is enough, and which it was is not said
            found = iter([self._one(each, error) for each in jpegs])
        return [next(found) if each.ndim == 1 else each.to(self.device, non_blocking=True) for each in stored]

    def _decode(self, jpegs: list[Tensor]) -> list[Tensor]:
        if not jpegs:
            return []
        if self.device.type == "cuda":
            # nvJPEG writes on a stream of its own, at once: into memory that crops still read from which it was given
            torch.cuda.current_stream(self.device).synchronize()
        found: list[Tensor] = decode_jpeg(jpegs, mode=ImageReadMode.RGB, device=self.device)
        return found

    def _one(self, jpeg: Tensor, told: RuntimeError) -> Tensor:
        try:
            return self._decode([jpeg])[0]
        except BROKEN:
            raise
        except RuntimeError:
            if not self.refused:
                reason = str(told).splitlines()[0]
                print(
                    f"training.decode: gpu: {self.device} refuses an image ({reason}); the CPU decodes such", flush=True
                )
            self.refused += 1
            return jpeg


def tiny_jpeg() -> Tensor:
    """Of 16 x 16 pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "jpeg")
    return torch.from_numpy(np.frombuffer(buffer.getvalue(), np.uint8).copy())
