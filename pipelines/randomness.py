"""Random generators derived from a seed and a purpose, so that no step depends on what was drawn before it."""

import hashlib

import numpy
import torch


def seed_for(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, e.g. ``seed_for(0, "views", step, rank)``; equal arguments, equal seed."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator on ``device``, seeded by ``seed_for``."""
    return torch.Generator(device=device).manual_seed(seed_for(seed, *purpose))


def numpy_generator(seed: int, *purpose: str | int) -> numpy.random.Generator:
    """A numpy generator, seeded by ``seed_for``."""
    return numpy.random.default_rng(seed_for(seed, *purpose))
