"""Stronger views for fine-tuning, by torchvision, an image at a time: RandAugment (Cubuk et al. 2020, arXiv:1909.13719)
before the crop, random erasing (Zhong et al. 2017, arXiv:1708.04896) of the finished view.

torchvision draws from torch's own generator, which is seeded here from the step's.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision.transforms import v2

from pipelines.batch import Batch
from pipelines.evaluation.workbench import MakeViews

OPERATIONS = 2
"""An image, as MAE has it."""


@dataclass(frozen=True)
class StrongViews:
    """``make``, with RandAugment of this magnitude before it and erasing of this probability behind it; 0: none."""

    make: MakeViews
    magnitude: int
    erasing: float

    def __call__(self, batch: Batch, generator: torch.Generator) -> list[Tensor]:
        """The views of whole uint8 images; the generator moves on by one draw, and by what ``make`` draws."""
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.magnitude and batch.images is not None:
                augment = v2.RandAugment(OPERATIONS, self.magnitude)
                batch = replace(batch, images=torch.stack([augment(image) for image in batch.images]))
            views = self.make(batch, generator)
            if self.erasing:
                erase = v2.RandomErasing(self.erasing)
                views = [torch.stack([erase(image) for image in view]) for view in views]
        return views
