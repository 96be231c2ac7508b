"""Random numbers for the joined batch of all processes, of which each takes its own rows.

With them the loss of several processes is that of the joined batch in one process, random numbers included.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pipelines import distributed

Draw = Callable[[int, torch.Generator], Tensor]
"""(count, generator) -> (count, ...)."""


def joint_draws(draw: Draw, count: int, joint: torch.Generator) -> Tensor:
    """(count, ...): this process's share of ``draw`` for count rows on every process, rank 0's first.

    joint: the same in every process (``Progress.joint``), so that nothing has to be sent, or waited for.
    """
    return draw(count * distributed.world_size(), joint).chunk(distributed.world_size())[distributed.rank()]
