"""Random generators of a seed and a purpose."""

import numpy
import torch

from pipelines.seeds import seed_for


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator on ``device``, seeded by ``seed_for``."""
    return torch.Generator(device=device).manual_seed(seed_for(seed, *purpose))


def numpy_generator(seed: int, *purpose: str | int) -> numpy.random.Generator:
    """A numpy generator, seeded by ``seed_for``."""
    return numpy.random.default_rng(seed_for(seed, *purpose))
