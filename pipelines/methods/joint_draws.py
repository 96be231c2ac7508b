"""Random numbers for the joined batch of all processes, of which each takes its own rows.

With them the loss of several processes is that of the joined batch in one process, random numbers included.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pipelines import distributed

Draw = Callable[[int, torch.Generator], Tensor]
"""(count, generator) -> (count, ...)."""


def joint_draws(draw: Draw, count: int, generator: torch.Generator) -> Tensor:
    """(count, ...): this process's share of ``draw`` for count rows on every process, rank 0's first.

    generator differs between processes, that of rank 0 decides; it moves on by one draw everywhere.
    """
    seeds = torch.randint(2**62, (1,), generator=generator, device=generator.device)
    shared = torch.Generator(device=generator.device).manual_seed(int(distributed.gather(seeds)[0]))
    return draw(count * distributed.world_size(), shared).chunk(distributed.world_size())[distributed.rank()]
