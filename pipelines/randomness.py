"""Random generators of a seed and a purpose."""

import contextlib
import hashlib
from collections.abc import Iterator

import numpy
import torch

from pipelines.seeds import seed_for


def generator(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator on ``device``, seeded by ``seed_for``."""
    return torch.Generator(device=device).manual_seed(seed_for(seed, *purpose))


def numpy_generator(seed: int, *purpose: str | int) -> numpy.random.Generator:
    """A numpy generator, seeded by ``seed_for``."""
    return numpy.random.default_rng(seed_for(seed, *purpose))


def host_generator(generator: torch.Generator) -> torch.Generator:
    """A CPU generator seeded from ``generator``, which moves on: two calls give two streams.

    A CUDA generator's state (seed and offset) is known to the host; numbers drawn by it are not until the device is done.
    """
    if generator.device.type == "cpu":
        seed = int(torch.randint(2**62, (), generator=generator))
    else:
        state = generator.get_state().numpy().tobytes()
        torch.empty(1, device=generator.device).uniform_(generator=generator)
        seed = int.from_bytes(hashlib.sha256(state).digest()[:8], "big") >> 1
    return torch.Generator().manual_seed(seed)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's own generators, of the CPU and of this process's GPU, start from ``seed`` in here, and go on afterwards."""
    with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else []):
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """NumPy's and torch's own generators, from which libraries draw, start from ``generator`` (CPU) in here.

    Afterwards they go on as if nothing had been drawn.
    """
    first, second = torch.randint(2**31, (2,), generator=generator).tolist()
    numbers, tensors = numpy.random.get_state(), torch.get_rng_state()
    numpy.random.seed(first)
    torch.default_generator.manual_seed(second)  # torch.manual_seed would reach the GPUs' generators too
    try:
        yield
    finally:
        numpy.random.set_state(numbers)
        torch.set_rng_state(tensors)
